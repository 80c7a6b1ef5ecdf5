"""Which files of a project define something that can be registered: by their syntax, as importing a file runs it.

Names are followed within the project: a *maker* is `task`, `workflow` or `LaunchPlan`, another name of one, or a function of the
project that uses one. A file counts whose module has, outside of functions and classes, a function under a maker or a name that is
given what a maker makes. What somebody else's package makes of functions is not known here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from wingbeat.host.project import UNPARSABLE

MAKERS = frozenset({"task", "workflow", "LaunchPlan"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def defining(texts: Mapping[str, str]) -> set[str]:
    """Those of the files, by paths in their project, that define something. One that Python cannot read counts if it speaks of
    ``wingbeat``: then it is told what is wrong with it."""
    modules, found = {}, set[str]()
    for path, text in texts.items():
        try:
            modules[path] = _Module(ast.parse(text))
        except UNPARSABLE:
            if "wingbeat" in text:
                found.add(path)
    _resolve(modules)
    changed = True
    while changed:  # a maker makes others; the last time all are looked through
        changed = any(module.look() for module in modules.values())
    return found | {path for path, module in modules.items() if module.defines}


@dataclass
class _Module:
    """A file.

    Attributes:
        imported: Names, and what they stand for: a file and a name in it, or (empty) all of that file.

        makers: Names of makers; with a dot, those of modules that are imported.
    """

    tree: ast.Module
    imported: dict[str, tuple[_Module, str]] = field(default_factory=dict)
    starred: list[_Module] = field(default_factory=list)
    makers: set[str] = field(default_factory=set)
    defines: bool = False

    def look(self) -> bool:
        """Look through it; says whether a maker was found that was not known."""
        before = len(self.makers)
        for name, (module, of) in self.imported.items():
            if of in module.makers:
                self.makers.add(name)
            elif not of:
                self.makers |= {f"{name}.{maker}" for maker in module.makers if "." not in maker}
        for module in self.starred:
            self.makers |= {maker for maker in module.makers if not maker.startswith("_")}
        for statement in _top(self.tree.body):
            self._look_at(statement)
        return len(self.makers) > before

    def _look_at(self, statement: ast.stmt) -> None:
        if isinstance(statement, _Function):
            if any(self._uses(each) for each in statement.decorator_list):
                self.defines = True
            elif any(self._uses(each) for each in statement.body):
                self.makers.add(statement.name)
            return
        value, targets = _given(statement)
        if value is None or not self._uses(value):
            return
        makes = self._makes(value)
        if makes is not False:  # it is a maker, or may be one, as ``task(retries=3)`` is
            self.makers |= {target.id for target in targets if isinstance(target, ast.Name)}
        if makes is not True:
            self.defines = True

    def _makes(self, value: ast.expr) -> bool | None:
        """Whether what uses a maker is one: another name, ``partial(task, retries=3)``. None where that cannot be told."""
        if not isinstance(value, ast.Call):
            return self._names(value)
        if self._names(value.func):
            return False if value.args else None
        return any(self._names(argument) for argument in value.args)

    def _uses(self, node: ast.AST) -> bool:
        return any(self._names(each) for each in ast.walk(node))

    def _names(self, node: ast.AST) -> bool:
        return _dotted(node) in self.makers


def _resolve(modules: Mapping[str, _Module]) -> None:
    """Follow imports: makers of Wingbeat itself, and files of the project."""
    by_name = {_dotted_path(path): module for path, module in modules.items()}
    for path, module in modules.items():
        for statement in ast.walk(module.tree):
            if isinstance(statement, ast.Import):
                for alias in statement.names:
                    name = alias.asname or alias.name
                    if _is_ours(alias.name):
                        module.makers |= {f"{name}.{maker}" for maker in MAKERS}
                    elif (other := _find(by_name, alias.name)) is not None:
                        module.imported[name] = other, ""
            elif isinstance(statement, ast.ImportFrom):
                _resolve_from(by_name, path, module, statement)


def _resolve_from(by_name: Mapping[str, _Module], path: str, module: _Module, statement: ast.ImportFrom) -> None:
    source = statement.module or ""
    if statement.level:
        folders = path.split("/")[: -statement.level]
        source = ".".join([*folders, *([source] if source else [])])
    for alias in statement.names:
        name = alias.asname or alias.name
        if _is_ours(source) and not statement.level:
            module.makers |= MAKERS if alias.name == "*" else {name} if alias.name in MAKERS else set()
        elif alias.name != "*" and (inner := _find(by_name, f"{source}.{alias.name}".strip("."))) is not None:
            module.imported[name] = inner, ""
        elif (other := _find(by_name, source)) is not None:
            if alias.name == "*":
                module.starred.append(other)
            else:
                module.imported[name] = other, alias.name


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "wingbeat" or module.startswith("wingbeat_")


def _find(by_name: Mapping[str, _Module], name: str) -> _Module | None:
    """A module of the project, wherever its folder of sources begins: of several, the one nearest to the root."""
    if name in by_name:
        return by_name[name]
    ending = [each for each in by_name if name and each.endswith(f".{name}")]
    return by_name[min(ending, key=lambda each: (each.count("."), each))] if ending else None


def _dotted_path(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _top(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module that run when it is imported; what is under ``if __name__ == "__main__"`` does not."""
    for statement in statements:
        yield statement
        if isinstance(statement, _Function | ast.ClassDef):
            continue
        if isinstance(statement, ast.If) and "__name__" in {_dotted(each) for each in ast.walk(statement.test)}:
            yield from _top(statement.orelse)
            continue
        for part in ("body", "orelse", "finalbody"):
            yield from _top(getattr(statement, part, []))
        for part in ("handlers", "cases"):
            for inner in getattr(statement, part, []):
                yield from _top(inner.body)


def _given(statement: ast.stmt) -> tuple[ast.expr | None, list[ast.expr]]:
    """What a statement gives names to, and these."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            return value, targets
        case ast.AnnAssign(target=target, value=value):
            return value, [target]
    return None, []


def _dotted(node: ast.AST) -> str:
    """A name, with those of attributes behind it; empty for anything else."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=inner, attr=name) if outer := _dotted(inner):
            return f"{outer}.{name}"
    return ""

"""A server that is started anew between an upload and the request that refers to it: who has put what is forgotten."""

import msgspec
import pytest

from wingbeat import File, task
from wingbeat import workflow as as_workflow
from wingbeat.contracts.admin import Launch, Registration
from wingbeat.contracts.engine import LaunchRequest
from wingbeat.spec.literal import Inline
from wingbeat.testing.conformance import engine_flows as flows
from wingbeat.testing.conformance.admin import workflow
from wingbeat.testing.conformance.engine import closure_of
from wingbeat_admin.client.admin import HttpAdmin
from wingbeat_admin.client.engine import HttpEngine
from wingbeat_admin.problems import ContentMissing
from wingbeat_admin.server.reach import Reach

OWN = ("maps", "production")


@task
def _size(file: File) -> int:
    return len(file.path().read_bytes())


@as_workflow
def sized(file: File) -> int:
    return _size(file)


@pytest.fixture
def forgetting(monkeypatch):
    """Has the server forget before it looks for the n-th time, of these n, whether content may be referred to; and says how often
    it has looked."""
    looked = []

    def set_up(*when):
        check = Reach.check

        def forgetful(self, caller, uris):
            looked.append(caller.name)
            if len(looked) in when:
                self.__init__()
            check(self, caller, uris)

        monkeypatch.setattr(Reach, "check", forgetful)
        return looked

    return set_up


@pytest.fixture
async def developer(server):
    """A client with the key of a developer, by its API and what it puts."""
    api, transfer = server.over(await server.key("dev", ("developer", *OWN)))
    yield api, transfer
    await api.close()


def _file(transfer, data):
    blob = transfer._storage.put_bytes(data)
    return {"uri": blob.uri, "digest": blob.digest, "size": blob.size, "name": "f", "layout": blob.layout}


def _with_code(transfer, folder):
    (folder / "code").mkdir()
    (folder / "code/a.py").write_text("a = 1\n")
    tree, lock = transfer._storage.put_directory(str(folder / "code")), transfer._storage.put_bytes(b"lock")
    found = workflow(flows.twice, "mine")
    closure = msgspec.structs.replace(found.closure, bundle=tree.digest, environment=lock.digest)
    return msgspec.structs.replace(found, closure=closure)


@pytest.mark.parametrize(
    "when", [1, 2]
)  # before the manifest of a tree is put, whose files are; before it is registered
async def test_what_is_registered_is_put_again(server, developer, forgetting, tmp_path, when):
    definition, looked = _with_code(developer[1], tmp_path), forgetting(when)
    (found,) = await HttpAdmin(*developer).register(Registration(*OWN, (definition,), "v9"))
    assert (found.id, len(looked)) == ("maps/production/mine@v9", when + 2)


async def test_what_is_launched_is_put_again(server, developer, forgetting):
    admin, engine = HttpAdmin(*developer), HttpEngine(*developer)
    await admin.register(Registration(*OWN, (workflow(sized, "sized"),), "v9"))
    inputs = {"file": _file(developer[1], b"four")}
    looked = forgetting(1, 3)
    assert (await admin.launch(Launch("maps/production/sized@v9", inputs))).created
    code = LaunchRequest(
        closure_of(sized), {"file": Inline(inputs["file"])}, labels=dict(zip(("project", "domain"), OWN, strict=True))
    )
    assert (await engine.launch(code)).created
    assert len(looked) == 4


async def test_a_server_that_always_forgets_is_not_asked_for_ever(server, developer, forgetting):
    definition = workflow(sized, "sized")
    await HttpAdmin(*developer).register(Registration(*OWN, (definition,), "v9"))
    looked = forgetting(*range(1, 100))
    with pytest.raises(ContentMissing, match="is not here"):
        await HttpAdmin(*developer).launch(Launch("maps/production/sized@v9", {"file": _file(developer[1], b"four")}))
    assert len(looked) == 3

"""Where hostile input is tested that does not come over HTTP; `test_hostile.py` has what does."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ELSEWHERE = {
    "types and graphs": {
        "kernel/tests/types/test_records_and_containers.py": ["test_a_type_that_would_explode_as_a_document_is_refused_in_time"],
        "kernel/tests/types/test_bounds.py": ["test_a_million_values_are_refused_if_the_limit_is_lower"],
        "kernel/tests/spec/test_codec.py": ["test_what_is_nested_too_deeply_is_refused", "test_what_is_too_large_is_refused"],
        "kernel/tests/compile/test_documents.py": ["test_a_wrong_node_is_found", "test_a_wrong_branch_is_found"],
    },
    "archives: attempts, bundles": {
        "kernel/tests/builtin/test_filestore.py": ["test_a_hostile_manifest_is_refused", "test_hostile_names"],
        "kernel/tests/test_attempts.py": ["test_what_is_no_attempt_has_no_directory"],
        "kernel/tests/host/test_bundle.py": ["test_links", "test_bounds_name_the_offenders"],
        "plugins/container/tests/test_attempts.py": ["test_files_out_of_the_attempt_are_not_taken"],
    },
    "URIs: webhooks": {
        "plugins/notify/tests/test_guard.py": ["test_every_way_to_write_an_address_is_seen_through"],
        "plugins/notify/tests/test_webhook.py": [
            "test_redirects_lead_nowhere", "test_a_name_that_turns_inside_is_refused", "test_headers_that_trickle_do_not_hold_it",
        ],
    },
    "deserialisation": {
        "kernel/tests/types/test_files.py": ["test_pickle_is_used_where_it_is_asked_for_by_name_and_nowhere_else"],
        "kernel/tests/builtin/test_filestore.py": ["test_hostile_addresses"],
    },
    "tokens": {
        "plugins/admin/tests/test_tokens.py": [
            "test_claims_that_are_wrong_are_refused", "test_a_signature_that_is_wrong_is_refused",
        ],
        "plugins/admin/tests/test_matrix.py": ["test_who_brings_no_key_gets_nowhere", "test_roles_on_routes"],
        "plugins/admin/tests/test_access.py": ["test_what_is_taken_away_is_gone_at_once", "test_a_key_expires"],
    },
    "exhaustion": {
        "plugins/admin/tests/test_connections.py": [
            "test_a_request_that_does_not_come_is_not_waited_for", "test_who_does_not_read_is_cut",
        ],
        "plugins/admin/tests/test_audit.py": ["test_denials_do_not_fill_the_disk"],
    },
    "plugins": {
        "kernel/tests/engine/test_containment.py": [
            "test_a_submit_that_hangs_is_given_up_and_the_line_goes_on", "test_an_executor_that_exits_does_not_end_the_kernel",
            "test_what_is_no_outcome_fails_the_attempt_and_not_the_journal", "test_an_answer_of_another_type_is_a_failed_lookup",
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize(
    "file", [(file, names) for files in ELSEWHERE.values() for file, names in files.items()], ids=lambda given: given[0]
)
def test_it_is_there(file: tuple[str, list[str]]) -> None:
    path, names = file
    text = (ROOT / path).read_text()
    assert [name for name in names if not re.search(rf"^ *(async )?def {name}\b", text, re.MULTILINE)] == []

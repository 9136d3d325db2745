# SPDX-License-Identifier: Apache-2.0
"""Answers of ActiveSync servers that no client should have to see, through the whole program."""
import pytest

import kinds
from bridge import poll


@pytest.fixture
def exchange(stage):
    return kinds.EAS_14.exchange(stage, "--corpus", "3")


def login(stage, exchange):
    return stage.bridge(kinds.EAS_14.account("work", exchange)).login("work")


@pytest.mark.parametrize("op", ["FolderSync", "Sync"])
def test_a_mailbox_that_is_too_full_to_be_read_for_the_moment(stage, exchange, op):
    """For what reads it is as if the server were busy."""
    exchange.fault(protocol="eas", op=op, do="status", status=507)
    imap = login(stage, exchange)
    poll(60, lambda: b"* 3 EXISTS" in imap.run("SELECT INBOX")[1])

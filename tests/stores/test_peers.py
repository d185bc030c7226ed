"""`aiogen.stores.peers`: who a store is in its ledger, and how many others use it."""

from __future__ import annotations

import pytest

from aiogen.stores.peers import Follows, Peers, Worker


def test_a_worker_has_a_name_in_each_of_its_lives() -> None:
    worker = Worker()
    assert (worker.name, worker.names) == ("", [])
    worker.begin("first")
    worker.begin("second", Follows.OWN)
    assert (worker.name, worker.names, worker.follows) == ("second", ["first", "second"], Follows.OWN)


@pytest.mark.parametrize(("follows", "owner"), [(Follows.ALL, "w"), (Follows.OWN, "w"), (Follows.NOTHING, None)])
def test_what_it_takes_in_is_its_own_unless_it_follows_nothing(follows: Follows, owner: str | None) -> None:
    worker = Worker()
    worker.begin("w", follows)
    assert worker.owner == owner


def test_others_follow_all_unless_the_ledger_says_less() -> None:
    assert (Peers(3).follow_all, Peers(3).follow_nothing) == (3, 0)
    assert Peers(3, follow_nothing=1).follow_all == 2
    assert Peers(3, follow_all=1, follow_nothing=1) == 3


def test_a_plain_number_is_of_those_that_follow_all() -> None:
    some = Peers(2, follow_all=1)
    assert Peers.of(some) is some
    assert Peers.of(2).follow_all == 2

"""Rates and lock-outs, on a clock that the tests turn."""

from hypothesis import given
from hypothesis import strategies as st

from homei.serve.access import throttle
from homei.serve.access.throttle import LockOut, Rates


@given(st.integers(1, 20), st.lists(st.floats(0, 3), max_size=80))
def test_no_client_gets_more_than_its_burst_and_its_rate(rate, pauses):
    rates, now, passed = Rates(), 0.0, 0
    for pause in pauses:
        now += pause
        passed += rates.wait("a", rate, now) == 0
        assert passed <= rate * throttle.BURST_SECONDS + rate * now + 1e-6


@given(st.integers(1, 20), st.integers(0, 100))
def test_whoever_waits_as_long_as_he_is_told_may_ask(rate, asked):
    rates = Rates()
    for _ in range(asked):
        rates.wait("a", rate, 5.0)
    wait = rates.wait("a", rate, 5.0)
    assert wait == 0 or rates.wait("a", rate, 5.0 + wait) == 0


@given(st.integers(1, 20), st.integers(0, 100_000))
def test_however_long_a_client_was_quiet_it_gets_no_more_than_its_burst_at_once(rate, quiet):
    rates = Rates()
    rates.wait("a", rate, 0.0)
    at_once = [rates.wait("a", rate, 10.0 + quiet) for _ in range(5 * rate)]
    assert at_once.count(0) == rate * throttle.BURST_SECONDS


def test_a_lock_holds_its_time_and_then_ends(contract):
    lock = LockOut(contract.limits.access)  # 5 failures, 60 s
    assert [lock.fail("1.2.3.4", now) for now in (0, 10, 20, 30, 40)] == [False] * 4 + [True]
    assert lock.wait("1.2.3.4", 40) == 60
    assert lock.wait("1.2.3.4", 99.5) == 1
    assert lock.wait("1.2.3.4", 100) == 0
    assert lock.wait("1.2.3.5", 50) == 0
    assert not lock.fail("1.2.3.4", 100)


def test_failures_that_are_far_apart_lock_nobody_out(contract):
    lock = LockOut(contract.limits.access)
    assert not any(lock.fail("1.2.3.4", 61 * number) for number in range(50))


def test_an_ipv6_network_counts_as_one_address(contract):
    lock = LockOut(contract.limits.access)
    for number in range(5):
        lock.fail(f"2001:db8::{number}", 0)
    assert lock.wait("2001:db8::ffff", 1) > 0
    assert lock.wait("2001:db8:0:1::1", 1) == 0


def test_it_remembers_no_more_addresses_than_it_should(contract, monkeypatch):
    monkeypatch.setattr(throttle, "MOST_ADDRESSES", 3)
    lock = LockOut(contract.limits.access)
    for number in range(9):
        lock.fail(f"10.0.0.{number}", 0)
    assert len(lock._failures) == 3

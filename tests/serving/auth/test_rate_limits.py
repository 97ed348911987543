"""Rates and lock-outs, on a fake clock."""

import math

from hypothesis import given
from hypothesis import strategies as st

from homei.serving.auth import context
from homei.serving.auth.context import LockOut, RateLimiter


@given(st.integers(1, 20), st.lists(st.floats(0, 3), max_size=80))
def test_a_client_gets_at_most_its_burst_and_its_rate(rate, pauses):
    rates, now, passed = RateLimiter(), 0.0, 0
    for pause in pauses:
        now += pause
        passed += rates.seconds_to_wait("a", rate, now) == 0
        assert passed <= rate * context.BURST_SECONDS + rate * now + 1e-6


@given(st.integers(1, 20), st.integers(0, 100))
def test_a_client_that_waits_for_retry_after_may_make_a_request(rate, asked):
    rates = RateLimiter()
    for _ in range(asked):
        rates.seconds_to_wait("a", rate, 5.0)
    wait = rates.seconds_to_wait("a", rate, 5.0)
    assert wait == 0 or rates.seconds_to_wait("a", rate, 5.0 + wait) == 0


@given(st.integers(1, 20), st.integers(0, 100_000))
def test_a_client_gets_no_more_than_its_burst_after_any_pause(rate, quiet):
    rates = RateLimiter()
    rates.seconds_to_wait("a", rate, 0.0)
    at_once = [rates.seconds_to_wait("a", rate, 10.0 + quiet) for _ in range(5 * rate)]
    assert at_once.count(0) == rate * context.BURST_SECONDS


@given(st.integers(1, 20), st.integers(1, 1000))
def test_a_cost_above_the_burst_is_allowed_once_and_waited_for_afterwards(rate, cost):
    rates = RateLimiter()
    assert rates.seconds_to_wait("a", rate, 0.0, cost) == 0
    burst = rate * context.BURST_SECONDS
    wait = rates.seconds_to_wait("a", rate, 0.0)
    assert wait == max(0, math.ceil((cost + 1 - burst) / rate))
    assert wait == 0 or rates.seconds_to_wait("a", rate, float(wait)) == 0


def test_a_lock_ends_after_its_time(contract):
    lock = LockOut(contract.limits.access)  # 5 failures, 60 s
    assert [lock.count_failure("1.2.3.4", now) for now in (0, 10, 20, 30, 40)] == [False] * 4 + [True]
    assert lock.seconds_to_wait("1.2.3.4", 40) == 60
    assert lock.seconds_to_wait("1.2.3.4", 99.5) == 1
    assert lock.seconds_to_wait("1.2.3.4", 100) == 0
    assert lock.seconds_to_wait("1.2.3.5", 50) == 0
    assert not lock.count_failure("1.2.3.4", 100)


def test_failures_that_are_far_apart_do_not_lock(contract):
    lock = LockOut(contract.limits.access)
    assert not any(lock.count_failure("1.2.3.4", 61 * number) for number in range(50))


def test_an_ipv6_network_counts_as_one_address(contract):
    lock = LockOut(contract.limits.access)
    for number in range(5):
        lock.count_failure(f"2001:db8::{number}", 0)
    assert lock.seconds_to_wait("2001:db8::ffff", 1) > 0
    assert lock.seconds_to_wait("2001:db8:0:1::1", 1) == 0


def test_the_number_of_remembered_networks_is_limited(contract, monkeypatch):
    monkeypatch.setattr(context, "MAX_NETWORKS", 3)
    lock = LockOut(contract.limits.access)
    for number in range(9):
        lock.count_failure(f"10.0.0.{number}", 0)
    assert len(lock._failures) == 3

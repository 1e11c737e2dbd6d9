from __future__ import annotations

import threading

import pytest

from tracker.channel import Channel, ChannelEnd


def test_items_arrive_in_order_then_the_end():
    channel = Channel(3)
    assert [channel.put(i) for i in range(3)] == [True] * 3
    channel.finish()
    assert [channel.get() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ChannelEnd):
        channel.get()


def test_the_senders_error_comes_after_its_items():
    channel = Channel(2)
    channel.put("a")
    error = ValueError("boom")
    channel.finish(error)
    assert channel.get() == "a"
    with pytest.raises(ValueError, match="boom") as caught:
        channel.get()
    assert caught.value is error


def test_a_full_channel_makes_the_sender_wait_and_cancelling_frees_it():
    channel = Channel(1)
    channel.put(1)
    answers = []
    sender = threading.Thread(target=lambda: answers.append(channel.put(2)))
    sender.start()
    channel.cancel()
    sender.join()
    assert answers == [False]
    with pytest.raises(ChannelEnd):
        channel.get()


def test_the_newest_wins_where_that_is_asked_for():
    channel = Channel(2, newest_wins=True)
    for i in range(5):
        assert channel.put(i)
    assert [channel.get(), channel.get()] == [3, 4]
    assert channel.dropped == 3

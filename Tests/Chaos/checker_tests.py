"""Histories made by hand: good ones pass, and each kind of damage is found. Run: python3 checker_tests.py"""

import copy
import json
import os
import sys
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ClusterSupport"))

import mutants
from checker import check

ID = "11111111-1111-7111-8111-111111111111"
OTHER = "22222222-2222-7222-8222-222222222222"


def token(text):
    return json.dumps({"text": text})


EVENTS = [
    ["0-1", "queued", json.dumps({"correlationId": ID, "position": 1})],
    ["1-0", "started", '{"attempt":1}'],
    ["1-1", "token", token("a b ")],
    ["2-0", "restarted", '{"attempt":2,"reason":"worker_lost"}'],
    ["2-1", "token", token("a ")],
    ["2-2", "token", token("b c ")],
    ["2-3", "completed", "{}"],
]


def good():
    """One request with a key, sent twice, restarted once, watched over two connections."""
    rows = [
        dict(op="limits", attempts=3, ttl_done=300_000, keeps_data=True, redis_faults=True),
        dict(op="submit", request=1, problem="a b c", text="a b c ", key="k"),
        dict(op="submit", request=1, problem="a b c", text="a b c ", key="k"),
        dict(op="accepted", request=1, id=ID, replica="api-0"),
        dict(op="accepted", request=1, id=ID, replica="api-1"),
        dict(op="open", viewer="v", id=ID, replica="api-0", cursor="", status=200),
    ]
    rows += [dict(op="event", viewer="v", eid=e, name=n, data=d) for e, n, d in EVENTS[:3]]
    rows += [dict(op="cut", viewer="v", why="error")]
    rows += [dict(op="open", viewer="v", id=ID, replica="api-1", cursor="1-1", status=200)]
    rows += [dict(op="event", viewer="v", eid=e, name=n, data=d) for e, n, d in EVENTS[3:]]
    rows += [
        dict(op="seen", viewer="v", result="terminal"),
        dict(op="again", viewer="v", status=204),
        dict(op="spied", status=401),
        dict(op="record", id=ID, status=200, body=dict(status="completed", answer="a b c ")),
        dict(op="replica", name="api-0", descriptors=9, descriptors_before=9, resident=100, resident_before=90),
        dict(
            op="final",
            requests={ID: dict(status="completed", problem="a b c", attempts="2")},
            events={ID: copy.deepcopy(EVENTS)},
            keys={"lemma:{p0}:jobs": -1, f"lemma:{{p0}}:request:{ID}": 80_000, f"lemma:{{p0}}:events:{ID}": 80_000},
            queue={"lemma:{p0}:jobs": dict(length=0, pending=0)},
            archive={ID: ["completed", "a b c "]},
        ),
    ]
    return rows


class CheckerTests(unittest.TestCase):
    def setUp(self):
        self.rows = good()
        self.final = self.rows[-1]

    def row(self, op, at=0):
        return [row for row in self.rows if row["op"] == op][at]

    def found(self, words):
        violations = check(self.rows)
        self.assertTrue(any(words in one for one in violations), violations)

    def store(self, events):
        """Changes the stored stream and lets the viewer see just that."""
        self.final["events"][ID] = events
        at = self.rows.index(self.row("open"))
        self.rows = [row for row in self.rows if row["op"] != "event"]
        self.rows[at + 1 : at + 1] = [dict(op="event", viewer="v", eid=e, name=n, data=d) for e, n, d in events]

    def test_two_requests_of_a_conversation_at_once(self):
        one = self.final["requests"][ID]
        one |= dict(conversation="c", started="10", finished="30")
        self.final["requests"][OTHER] = dict(one, started="30", finished="40")
        self.assertFalse(any("conversation" in words for words in check(self.rows)))
        self.final["requests"][OTHER]["started"] = "29"
        self.found("of the same conversation")

    def test_a_conversation_that_is_not_found(self):
        self.rows.insert(1, dict(op="unknown", request=1, status=404, replica="api-0"))
        self.found("refused its conversation")

    def test_a_good_history_passes(self):
        self.assertEqual(check(self.rows), [])

    def test_an_answer_from_the_archive_that_is_broken_off_and_read_again(self):
        self.row("limits")["keeps_data"] = False
        first = [dict(op="open", viewer="w", id=ID, replica="api-0", cursor="", status=200)]
        first += [dict(op="event", viewer="w", eid="1-3", name="token", data=token("a b c "))]
        last = [dict(op="open", viewer="w", id=ID, replica="api-0", cursor="1-3", status=200)]
        last += [dict(op="event", viewer="w", eid="1-4", name="completed", data="{}")]
        last += [dict(op="seen", viewer="w", result="terminal")]
        self.rows[-1:-1] = first + last
        self.assertEqual(check(self.rows), [])
        self.rows[-1:-1] = [dict(op="event", viewer="w", eid="1-5", name="token", data=token("a b c "))]
        self.found("after the terminal event")

    def test_an_answer_from_the_archive_that_goes_on(self):
        self.row("limits")["keeps_data"] = False
        rows = [dict(op="open", viewer="w", id=ID, replica="api-0", cursor="", status=200)]
        rows += [dict(op="event", viewer="w", eid="1-3", name="token", data=token("a b "))]
        rows += [dict(op="event", viewer="w", eid="1-4", name="token", data=token("c "))]
        self.rows[-1:-1] = rows
        self.found("token 1-4 after the answer from the archive")

    def test_an_answer_that_begins_in_its_middle_though_nothing_was_lost(self):
        rows = [dict(op="open", viewer="w", id=ID, replica="api-0", cursor="", status=200)]
        rows += [dict(op="event", viewer="w", eid="1-3", name="token", data=token("a b c "))]
        self.rows[-1:-1] = rows
        self.found("begins with 1-3")

    def test_a_request_that_is_not_in_the_archive(self):
        self.final["archive"] = {}
        self.found("the archive says None")

    def test_an_end_or_answer_that_the_archive_has_differently(self):
        self.final["archive"][ID] = ["failed", "a b c "]
        self.found("is completed, the archive says failed")
        self.final["archive"][ID] = ["completed", "a b "]
        self.found("the archive's answer is not")

    def test_a_request_that_only_the_archive_has(self):
        self.final["archive"][OTHER] = ["completed", ""]
        self.found("is in the archive and nowhere else")

    def test_a_history_without_an_end_is_found(self):
        self.rows.pop()
        self.found("no end")

    def test_a_lost_request_is_found(self):
        self.final["requests"].clear()
        self.found("is lost")

    def test_a_stuck_request_is_found(self):
        self.final["requests"][ID]["status"] = "running"
        self.found("still running")

    def test_a_second_terminal_event_is_found(self):
        self.store(EVENTS + [["2-4", "failed", "{}"]])
        self.found("after the terminal event")

    def test_a_missing_terminal_event_is_found(self):
        self.store(EVENTS[:-1])
        self.found("ends with None")

    def test_a_gap_is_found(self):
        self.store(EVENTS[:4] + EVENTS[5:])
        self.found("2-2 after 2-0")

    def test_a_missing_marker_is_found(self):
        self.store(EVENTS[:3] + EVENTS[4:])
        self.found("2-1 after 1-1")

    def test_a_late_append_of_an_older_attempt_is_found(self):
        self.store(EVENTS[:4] + [["1-2", "token", token("c ")]] + EVENTS[4:])
        self.found("1-2 after 2-0")

    def test_an_event_that_a_viewer_got_twice_is_found(self):
        at = self.rows.index(self.row("event", 3))
        self.rows.insert(at, copy.deepcopy(self.row("event", 2)))
        self.found("1-1 after 1-1")

    def test_an_event_that_a_viewer_missed_is_found(self):
        self.rows.remove(self.row("event", 4))
        self.found("2-2 after 2-0")

    def test_an_event_that_was_only_pushed_is_found(self):
        self.final["events"][ID][4] = ["2-1", "token", token("a")]
        self.found("saw [['2-1'")

    def test_a_shortened_answer_is_found(self):
        self.store(EVENTS[:5] + [["2-2", "completed", "{}"]])
        self.found("completed with 2 of 6")

    def test_a_word_of_another_answer_is_found(self):
        self.row("event", 4)["data"] = token("x ")
        self.found("not the answer's beginning")

    def test_an_answer_that_differs_from_the_record_is_found(self):
        self.row("record")["body"]["answer"] = "a b "
        self.found("not the stream's text")

    def test_two_ids_for_one_key_are_found(self):
        self.row("accepted", 1)["id"] = OTHER
        self.found("2 ids")

    def test_two_jobs_for_one_key_are_found(self):
        self.final["requests"][OTHER] = dict(self.final["requests"][ID])
        self.final["events"][OTHER] = copy.deepcopy(EVENTS)
        self.found("became 2 jobs")

    def test_a_request_that_nobody_sent_is_found(self):
        self.final["requests"][OTHER] = dict(status="completed", problem="z")
        self.found("never sent")

    def test_too_many_attempts_are_found(self):
        self.row("limits")["attempts"] = 1
        self.found("2 attempts")

    def test_an_attempt_that_was_handed_over_does_not_count(self):
        self.row("limits")["attempts"] = 1
        events = copy.deepcopy(EVENTS)
        events[3][2] = '{"attempt":2,"reason":"handed_over"}'
        self.store(events)
        self.assertEqual(check(self.rows), [])

    def test_a_viewer_that_waits_for_ever_is_found(self):
        self.row("seen")["result"] = "deadline"
        self.found("never saw the end")

    def test_a_reset_without_a_loss_is_found(self):
        at = self.rows.index(self.row("seen"))
        self.rows.insert(at, dict(op="event", viewer="v", eid="", name="reset", data="{}"))
        self.found("reset although")

    def test_a_reset_after_a_loss_passes(self):
        self.row("limits")["keeps_data"] = False
        at = self.rows.index(self.row("cut"))
        self.rows.insert(at + 2, dict(op="event", viewer="v", eid="", name="reset", data="{}"))
        again = [dict(op="event", viewer="v", eid=e, name=n, data=d) for e, n, d in EVENTS[:3]]
        self.rows[at + 3 : at + 3] = again
        self.assertEqual(check(self.rows), [])

    def test_a_queue_position_of_another_request_is_found(self):
        at = self.rows.index(self.row("event", 1))
        data = json.dumps({"correlationId": OTHER, "position": 2})
        self.rows.insert(at, dict(op="event", viewer="v", eid="", name="queued", data=data))
        self.found("told of another request")

    def test_another_streams_ticket_that_opens_is_found(self):
        self.row("spied")["status"] = 200
        self.found("another stream's ticket")

    def test_a_stream_that_begins_again_after_its_end_is_found(self):
        self.row("again")["status"] = 200
        self.found("asked after the end")

    def test_an_internal_error_is_found(self):
        self.rows.insert(1, dict(op="answered", what="abort", status=500))
        self.found("with 500")

    def test_a_refusal_while_redis_is_well_is_found(self):
        self.row("limits")["redis_faults"] = False
        self.rows.insert(1, dict(op="open", viewer="w", id=ID, status=503))
        self.found("Redis was well")

    def test_a_refusal_on_an_overloaded_machine_passes(self):
        self.row("limits")["redis_faults"] = False
        self.rows.insert(1, dict(op="answered", what="abort", status=503))
        self.rows.insert(1, dict(op="lag", seconds=2))
        self.assertEqual(check(self.rows), [])

    def test_a_pending_entry_is_found(self):
        self.final["queue"]["lemma:{p0}:jobs"]["pending"] = 1
        self.found("1 of them pending")

    def test_a_key_without_an_expiry_is_found(self):
        self.final["keys"]["lemma:{p0}:idempotency:x"] = -1
        self.found("no expiry")

    def test_every_broken_library_is_made_of_the_present_one(self):
        for name in mutants.MUTANTS:
            self.assertNotIn("@VERSION@", mutants.broken(name))

    def test_a_request_that_lost_its_job_is_found(self):
        self.final["requests"][ID]["errorKind"] = "removed-from-queue"
        self.found("lost its job")

    def test_a_finished_request_that_lives_too_long_is_found(self):
        self.final["keys"][f"lemma:{{p0}}:events:{ID}"] = 310_000
        self.found("lives another")

    def test_a_request_that_ran_out_of_attempts_without_a_dead_letter_is_found(self):
        self.final["requests"][ID]["status"] = "failed"
        self.row("record")["body"] = dict(status="failed", answer="a b ")
        self.final["archive"][ID] = ["failed", "a b "]
        self.store(EVENTS[:3] + [["2-0", "failed", "{}"]])
        self.found("no dead letter")
        self.final["dead"] = [dict(id=ID)]
        self.assertEqual(check(self.rows), [])
        self.final["dead"] *= 2
        self.found("2 dead letters")

    def test_a_dead_letter_of_a_completed_request_is_found(self):
        self.final["dead"] = [dict(id=ID)]
        self.found("is completed")

    def test_a_replica_that_does_not_end_is_found(self):
        self.rows.insert(1, dict(op="stuck", name="api-0 does not end after SIGTERM"))
        self.found("does not end")

    def test_open_descriptors_are_found(self):
        self.row("replica")["descriptors"] = 30
        self.found("30 descriptors")

    def test_memory_is_found(self):
        self.row("replica")["resident"] = 200_000
        self.found("200000 KiB")


if __name__ == "__main__":
    unittest.main()

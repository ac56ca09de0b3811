"""The web page in a real browser, against a running Lemma.

    LEMMA_URL=http://127.0.0.1:8080 python3 -m unittest -v test_page        (in this folder)

Lemma has to run with AUTH_REQUIRED=false and with a paced mock provider beside the first one, such as

    AI_PROVIDERS=local,mock MOCK_TOKENS=300 MOCK_TOKEN_DELAY=20ms lemma dev

Environment:
    LEMMA_URL           where it runs (required)
    LEMMA_SCREENSHOTS   a folder for pictures of the page (default: none are kept)
"""

import json
import os
import pathlib
import unittest
import urllib.error
import urllib.parse
import urllib.request

from cutting_proxy import CuttingProxy
from webdriver import ENTER, SHIFT, Browser, wait_until

FOLDER = pathlib.Path(__file__).parent
# The mock provider repeats these words; each formula is one word, so that it arrives whole.
ECHO = r"The roots of \(x^2-5x+6=0\) are \(x_1=2\) and \(x_2=3\) as **seen** above."
LAST = ".exchange:last-child"


def base_url():
    url = os.environ.get("LEMMA_URL", "").rstrip("/")
    if url == "":
        raise AssertionError("LEMMA_URL must name a running Lemma, such as http://127.0.0.1:8080")
    return url


def proxied(url):
    parts = urllib.parse.urlsplit(url)
    return CuttingProxy(parts.hostname, parts.port or 80)


def read_request(identifier):
    with urllib.request.urlopen(f"{base_url()}/api/math/requests/{identifier}", timeout=10) as response:
        return json.load(response)


def read_status(identifier):
    try:
        return read_request(identifier)["status"]
    except urllib.error.HTTPError as error:
        return error.code


def post(path, body, **headers):
    request = urllib.request.Request(
        base_url() + path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def problem_response(status, title, detail, headers="", **members):
    body = json.dumps({"type": "/problems/x", "title": title, "status": int(status[:3]), "detail": detail, **members})
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\n{headers}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    )


def sse(identifier, name, **data):
    line = "" if identifier is None else f"id: {identifier}\n"
    return f"{line}event: {name}\ndata: {json.dumps(data)}\n\n"


class Page:
    """What the tests do and see on the page."""

    def __init__(self, browser, url):
        self.browser, self.url = browser, url

    def open(self, provider=None):
        self.browser.open(f"{self.url}/" + (f"?provider={provider}" if provider else ""))
        wait_until(lambda: self.browser.count("#problem"), "the composer")
        return self

    def ask(self, problem):
        self.browser.type("#problem", problem + ENTER)

    def state(self):
        return self.browser.script("return document.querySelector(arguments[0])?.dataset.state ?? '';", LAST)

    def status(self):
        return self.browser.text(f"{LAST} .status")

    def shown(self):
        return self.browser.script("return document.querySelector(arguments[0])?.textContent ?? '';", f"{LAST} .answer")

    def remembered(self):
        """What the page knows of the last problem."""
        return self.browser.script("return JSON.parse(sessionStorage.getItem('lemma.session') ?? '[]').at(-1) ?? null;")

    def wait_for_text(self, length=1):
        wait_until(lambda: len(self.shown()) >= length, f"{length} characters of the answer")

    def wait_for_state(self, state, seconds=60):
        wait_until(lambda: self.state() == state, f"the state {state}", seconds)

    def wait_for_status(self, *parts):
        """Waits for a status with one of the parts; watches from inside the page where a state may be short."""
        return wait_until(lambda: next((p for p in parts if p in self.status()), None), f"a status with {parts}")

    def watch_status(self):
        """From now on notes every text of every status."""
        self.browser.script(
            "window.statuses = [];"
            "new MutationObserver(() => {"
            "  for (const node of document.querySelectorAll('.status')) {"
            "    if (window.statuses.at(-1) !== node.textContent) window.statuses.push(node.textContent);"
            "  }"
            "}).observe(document.getElementById('history'), { subtree: true, childList: true, characterData: true });"
        )

    def statuses(self):
        return self.browser.script("return window.statuses;")


class BrowserTest(unittest.TestCase):
    """A browser for the class, a fresh page behind a proxy for each test."""

    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())

    def setUp(self):
        self.proxy = self.enterContext(proxied(base_url()))
        self.page = Page(self.browser, self.proxy.url)
        self.browser.console_errors()

    def assert_exact(self):
        """The page shows, and was sent, exactly the answer the server keeps."""
        remembered = self.page.remembered()
        record = read_request(remembered["id"])
        self.assertEqual(record["status"], "completed")
        self.assertEqual(remembered["text"], record["answer"])
        return record


class Solving(BrowserTest):
    def test_a_problem_is_answered_with_typeset_formulas(self):
        self.page.open().ask("solve x^2 - 5x + 6 = 0")
        self.page.wait_for_state("completed")
        self.assert_exact()
        self.assertGreater(self.browser.count(f"{LAST} .answer .katex"), 0)
        self.assertEqual(self.browser.count(f"{LAST} .answer .katex-error"), 0)
        self.assertEqual(self.browser.script("return document.querySelector('.answer').ariaBusy;"), "false")
        self.assertRegex(self.browser.text(f"{LAST} .meta"), r"\d")
        self.assertEqual(self.browser.console_errors(), [])

    def test_the_answer_grows_token_by_token(self):
        self.page.open("mock")
        self.page.watch_status()
        self.page.ask(ECHO)
        lengths = []
        for length in (1, 100, 300):
            self.page.wait_for_text(length)
            lengths.append(len(self.page.shown()))
            self.assertEqual(self.page.state(), "running")
        self.assertEqual(lengths, sorted(set(lengths)))
        self.assertGreater(self.browser.count(f"{LAST} .answer .katex"), 0)
        self.page.wait_for_state("completed")
        self.assert_exact()
        self.assertTrue(any(status.startswith("Solving") for status in self.page.statuses()), self.page.statuses())

    def test_an_example_is_one_click_away_and_several_problems_stand_in_order(self):
        self.page.open()
        self.browser.click("#welcome li:first-child button")
        self.page.wait_for_state("completed")
        self.page.ask("integrate x^2 from 0 to 3")
        wait_until(lambda: self.browser.count(".exchange[data-state=completed]") == 2, "both answers")
        questions = self.browser.script("return [...document.querySelectorAll('.question')].map((n) => n.innerText);")
        self.assertEqual(questions, ["2x + 3 = 7", "integrate x^2 from 0 to 3"])

    def test_shift_enter_starts_a_new_line(self):
        self.page.open()
        self.browser.type("#problem", f"x + y = 3{SHIFT}{ENTER}{SHIFT}x - y = 1")
        written = self.browser.script("return document.getElementById('problem').value;")
        self.assertEqual(written, "x + y = 3\nx - y = 1")
        self.assertEqual(self.browser.count(".exchange"), 0)

    def test_stop_ends_the_answer(self):
        self.page.open("mock").ask(ECHO)
        self.page.wait_for_text(20)
        self.browser.click(f"{LAST} .stop")
        self.page.wait_for_state("cancelled", seconds=5)
        self.assertEqual(self.page.status(), "Stopped.")
        self.assertEqual(read_request(self.page.remembered()["id"])["status"], "cancelled")
        self.assertEqual(self.browser.count(f"{LAST} .stop:not([hidden])"), 0)


class LosingTheConnection(BrowserTest):
    def test_a_cut_stream_goes_on_by_itself_and_ends_exact(self):
        self.page.open("mock")
        self.page.watch_status()
        self.page.ask(ECHO)
        for length in (50, 350):
            self.page.wait_for_text(length)
            self.assertGreater(self.proxy.cut(), 0)
            self.page.wait_for_status("Reconnecting", "Solving")
        self.page.wait_for_state("completed")
        self.assert_exact()
        self.assertIn("Connection lost. Reconnecting…", self.page.statuses())

    def test_a_stream_the_browser_gave_up_is_taken_up_again(self):
        self.page.open("mock")
        self.page.watch_status()
        self.page.ask(ECHO)
        self.page.wait_for_text(50)
        self.proxy.substitute("GET /api/math/stream/", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        self.proxy.cut()
        self.page.wait_for_state("completed")
        self.assert_exact()
        self.assertIn("Connection lost. Asking the server how far it is…", self.page.statuses())

    def test_an_answer_that_ended_while_the_server_was_away_is_fetched(self):
        self.page.open("mock").ask(ECHO)
        self.page.wait_for_text(50)
        identifier = self.page.remembered()["id"]
        self.proxy.refuse(True)
        self.proxy.cut()
        wait_until(lambda: read_request(identifier)["status"] == "completed", "the server to end it", seconds=60)
        self.assertEqual(self.page.state(), "running")
        self.proxy.refuse(False)
        self.page.wait_for_state("completed")
        self.assert_exact()

    def test_a_submission_whose_answer_got_lost_makes_one_request_only(self):
        self.page.open()
        self.page.watch_status()
        # A connection that ends without a byte would be tried again by the browser itself.
        torn = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
        self.proxy.substitute("POST /api/math/solve", torn, after_forwarding=True)
        self.page.ask("2x + 3 = 7")
        self.page.wait_for_state("completed")
        record = self.assert_exact()
        self.assertEqual(self.proxy.count("POST /api/math/solve"), 2)
        self.assertIn(record["correlationId"], self.proxy.lost[0])
        self.assertTrue(any("Trying again in" in status for status in self.page.statuses()), self.page.statuses())

    def test_a_running_answer_is_taken_up_after_a_reload(self):
        self.page.open("mock").ask(ECHO)
        self.page.wait_for_text(50)
        identifier = self.page.remembered()["id"]
        self.browser.reload()
        self.page.wait_for_text(50)
        self.assertEqual(self.page.remembered()["id"], identifier)
        self.page.wait_for_state("completed")
        self.assert_exact()
        shown = self.page.shown()
        self.browser.reload()
        wait_until(lambda: self.page.state() == "completed", "the finished answer after another reload")
        self.assertEqual(self.page.shown(), shown)


class Conversations(BrowserTest):
    def forget(self):
        """Leaves the page with nothing but its address."""
        self.browser.script("sessionStorage.clear();")

    def questions(self):
        return self.browser.script("return [...document.querySelectorAll('.question')].map((n) => n.innerText);")

    def titles(self):
        return self.browser.script("return [...document.querySelectorAll('#shelf .title')].map((n) => n.textContent);")

    def conversation(self):
        return self.browser.script("return location.hash.slice(1);")

    def act(self, name):
        """Clicks an action of the first conversation in the list."""
        self.browser.script(
            "[...document.querySelectorAll('#shelf li:first-child .act')]"
            ".find((n) => n.textContent === arguments[0]).click();",
            name,
        )

    def solve(self, *problems):
        for count, problem in enumerate(problems, self.browser.count(".exchange") + 1):
            self.page.ask(problem)
            wait_until(lambda: self.browser.count(".exchange[data-state=completed]") == count, f"answer {count}")

    def test_a_conversation_is_shown_again_and_goes_on_after_everything_in_the_tab_is_forgotten(self):
        self.page.open()
        self.solve("2x + 3 = 7", "integrate x^2 from 0 to 3")
        address, shown = self.conversation(), self.page.shown()
        self.assertEqual(address, self.page.remembered()["conversationId"])
        self.forget()
        self.browser.reload()
        wait_until(lambda: self.browser.count(".exchange[data-state=completed]") == 2, "both answers")
        self.assertEqual(self.questions(), ["2x + 3 = 7", "integrate x^2 from 0 to 3"])
        self.assertEqual(self.page.shown(), shown)
        self.solve("1 + 1")
        self.assertEqual(self.page.remembered()["conversationId"], address)
        self.assertEqual(self.conversation(), address)

    def test_a_running_answer_is_taken_up_by_its_conversation_alone(self):
        self.page.open("mock").ask(ECHO)
        self.page.wait_for_text(50)
        identifier = self.page.remembered()["id"]
        self.forget()
        self.browser.reload()
        self.page.wait_for_text(50)
        self.assertEqual(self.page.remembered()["id"], identifier)
        self.page.wait_for_state("completed")
        self.assert_exact()

    def test_conversations_are_listed_opened_renamed_and_deleted(self):
        self.page.open()
        self.solve("2x + 3 = 7")
        first = self.conversation()
        self.browser.click("#clear")
        self.assertEqual((self.questions(), self.conversation()), ([], ""))
        self.solve("5 * 5")
        self.browser.click("#toggle")
        wait_until(lambda: self.titles()[:2] == ["5 * 5", "2x + 3 = 7"], "the list")
        self.browser.click("#shelf li:nth-child(2) .title")
        wait_until(lambda: self.questions() == ["2x + 3 = 7"], "the first conversation")
        self.assertEqual(self.conversation(), first)

        self.browser.click("#toggle")
        wait_until(lambda: self.titles()[:1] == ["5 * 5"], "the list again")
        self.act("Rename")
        self.browser.script("document.querySelector('#shelf input').value = '';")
        self.browser.type("#shelf input", "Squares" + ENTER)
        wait_until(lambda: self.titles()[:1] == ["Squares"], "the new title")
        self.act("Delete")
        self.act("Really?")
        wait_until(lambda: self.titles()[:1] == ["2x + 3 = 7"], "the first is gone")
        self.browser.click("#toggle")
        self.browser.reload()
        wait_until(lambda: self.questions() == ["2x + 3 = 7"], "the open one stays")

    def test_deleting_the_open_conversation_leaves_an_empty_page(self):
        self.page.open("mock").ask(ECHO)
        self.page.wait_for_text(20)
        identifier = self.page.remembered()["id"]
        self.browser.click("#toggle")
        wait_until(lambda: self.titles()[:1] != [], "the list")
        self.act("Delete")
        self.act("Really?")
        wait_until(lambda: self.questions() == [], "the empty page")
        self.assertEqual(self.conversation(), "")
        wait_until(lambda: read_status(identifier) in ("cancelled", 404), "its answer to be cancelled")

    def test_older_messages_are_fetched_when_they_are_asked_for(self):
        conversation = post("/api/conversations", {})["id"]
        problems = [f"{number} + 1" for number in range(30)]
        for problem in problems:
            post("/api/math/solve", {"problem": problem, "conversationId": conversation}, Prefer="wait=30")
        self.browser.open(f"{self.proxy.url}/#{conversation}")
        wait_until(lambda: self.questions() == problems[5:], "the newest page")
        self.browser.click("#earlier")
        wait_until(lambda: self.questions() == problems, "all of it")
        self.assertEqual(self.browser.count("#earlier:not([hidden])"), 0)

    def test_a_conversation_that_is_gone_is_told(self):
        self.browser.open(f"{self.proxy.url}/#01890000-0000-7000-8000-000000000000")
        wait_until(lambda: "does not exist" in self.browser.text("#hint"), "the words")
        self.assertEqual(self.conversation(), "")


class ReadingTheStream(BrowserTest):
    """Streams as the contract allows them, sent by the proxy in the server's place."""

    def answer_to(self, *streams):
        self.page.open()
        self.page.watch_status()
        for stream in streams:
            body = "".join(stream)
            head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nretry: 20\n"
            self.proxy.substitute("GET /api/math/stream/", head + body)
        self.page.ask("2x + 3 = 7")
        self.page.wait_for_state("completed")
        self.assertEqual(self.page.shown(), self.page.remembered()["text"])
        return self.page.remembered()["text"]

    def test_an_event_sent_twice_shows_once(self):
        text = self.answer_to(
            [sse("1-0", "started", attempt=1), sse("1-1", "token", text="a"), sse("1-2", "token", text="b")],
            [sse("1-1", "token", text="a"), sse("1-2", "token", text="b"), sse("1-3", "token", text="c"),
             sse("1-4", "completed")],
        )
        self.assertEqual(text, "abc")

    def test_a_new_attempt_drops_the_text_so_far(self):
        text = self.answer_to([
            sse("1-0", "started", attempt=1),
            sse("1-9", "token", text="old"),
            sse("2-0", "restarted", attempt=2, reason="worker_lost", provider="local"),
            sse("2-1", "token", text="new"),
            sse("2-2", "completed"),
        ])
        self.assertEqual(text, "new")

    def test_after_a_reset_known_events_are_told_again(self):
        text = self.answer_to(
            [sse("1-0", "started", attempt=1), sse("1-1", "token", text="a"), sse("1-2", "token", text="b")],
            [sse(None, "reset", reason="history_lost"), sse("1-0", "started", attempt=1), sse("1-1", "token", text="A"),
             sse("1-2", "token", text="B"), sse("1-3", "completed")],
        )
        self.assertEqual(text, "AB")

    def test_a_kept_answer_comes_without_ids_also_after_a_reset(self):
        text = self.answer_to(
            [sse("1-0", "started", attempt=1), sse("1-1", "token", text="a")],
            [sse(None, "reset", reason="history_lost"), sse(None, "token", text="whole"), sse(None, "completed")],
        )
        self.assertEqual(text, "whole")

    def test_a_kept_answer_cut_off_is_not_doubled(self):
        text = self.answer_to(
            [sse(None, "token", text="whole")],
            [sse(None, "token", text="whole"), sse(None, "completed")],
        )
        self.assertEqual(text, "whole")

    def test_the_place_in_line_is_told(self):
        self.answer_to([
            sse("0-1", "queued", position=12),
            sse(None, "queued", position=1),
            sse("1-0", "started", attempt=1),
            sse("1-1", "token", text="a"),
            sse("1-2", "completed"),
        ])
        told = [status for status in self.page.statuses() if "line" in status]
        self.assertEqual(told, ["You are number 12 in line.", "You are next in line."])

    def test_the_thinking_is_kept_apart_from_the_answer(self):
        text = self.answer_to([
            sse("1-0", "started", attempt=1),
            sse("1-1", "reasoning", text="hmm"),
            sse("1-2", "token", text="a"),
            sse("1-3", "completed"),
        ])
        self.assertEqual(text, "a")
        self.assertEqual(self.browser.text(f"{LAST} .reasoning summary"), "Thinking")


class ErrorsInWords(BrowserTest):
    def test_an_empty_problem(self):
        self.page.open().ask("   ")
        self.assertEqual(self.browser.text("#hint"), "Type a problem first.")
        self.assertEqual(self.browser.count(".exchange"), 0)

    def test_a_problem_that_is_too_long(self):
        self.page.open()
        self.browser.script("document.getElementById('problem').value = 'x'.repeat(8001);")
        self.browser.click("#solve")
        self.assertIn("too long: 8,001 characters of at most 8,000", self.browser.text("#hint"))
        self.assertEqual(self.browser.count(".exchange"), 0)

    def test_what_the_server_refuses(self):
        self.page.open("abacus").ask("1 + 1")
        self.page.wait_for_state("failed")
        words = self.browser.text(f"{LAST} .problem")
        self.assertRegex(words, "provider: .*mock", "the field at fault and the names it may have")
        self.assertIn("Try again", words)

    def test_a_full_queue_counts_down_and_is_asked_again(self):
        self.page.open()
        self.page.watch_status()
        busy = problem_response("503 Service Unavailable", "Busy", "The queue is full", "Retry-After: 2\r\n")
        self.proxy.substitute("POST /api/math/solve", busy)
        self.page.ask("2x + 3 = 7")
        self.page.wait_for_state("completed")
        for seconds in (2, 1):
            self.assertIn(f"The queue is full. Trying again in {seconds} s.", self.page.statuses())

    def test_a_count_down_can_be_stopped(self):
        self.page.open()
        limit = problem_response("429 Too Many Requests", "Limit", "Too many problems", "Retry-After: 3600\r\n")
        self.proxy.substitute("POST /api/math/solve", limit)
        self.page.ask("2x + 3 = 7")
        self.page.wait_for_status("Trying again in 3")
        self.browser.click(f"{LAST} .stop")
        self.page.wait_for_state("cancelled", seconds=5)

    def test_a_request_the_server_no_longer_knows(self):
        self.page.open()
        self.browser.script(
            "sessionStorage.setItem('lemma.session', JSON.stringify([{ problem: 'x', key: 'k', id: arguments[0],"
            " streamUrl: `/api/math/stream/${arguments[0]}?ticket=t`, conversationId: arguments[0] }]));",
            "01890000-0000-7000-8000-000000000000",
        )
        self.browser.reload()
        self.page.wait_for_state("failed")
        self.assertNotEqual(self.browser.text(f"{LAST} .problem strong"), "")


class Rendering(BrowserTest):
    def run_in_page(self, name, *arguments):
        self.page.open()
        source = (FOLDER / "rendering.js").read_text()
        return self.browser.script_async(f"{source}\nreturn {name}(...args);", *arguments)

    def test_in_pieces_it_looks_as_in_one(self):
        self.assertEqual(self.run_in_page("differencesByPieces"), [])

    def test_markdown_and_formulas_become_the_right_elements(self):
        self.assertEqual(self.run_in_page("wrongElements"), [])

    def test_no_markup_gets_in(self):
        self.assertEqual(self.run_in_page("injected"), [])

    def test_finished_blocks_stay_and_a_long_answer_costs_no_more_per_piece(self):
        result = self.run_in_page("longAnswer")
        self.assertTrue(result["firstBlockKept"])
        self.assertLess(result["tailMax"], 2000, "characters that are split again with each piece")
        self.assertEqual(result["blocks"], result["blocksWanted"])


class Looks(unittest.TestCase):
    """No page is wider than its window, and every control is big enough; the pictures are for the eye."""

    def look(self, name, **options):
        with Browser(**options) as browser:
            page = Page(browser, base_url()).open()
            self.check(browser, name, "empty")
            page.ask("solve x^2 - 5x + 6 = 0")
            page.wait_for_state("completed")
            self.check(browser, name, "answer")
            browser.script("document.querySelector('.exchange .answer').scrollIntoView();")
            page.ask("derivative of x^3 sin(x)")
            page.wait_for_state("completed")
            page.open("abacus").ask("1 + 1")
            page.wait_for_state("failed")
            self.check(browser, name, "error")
            browser.click("#toggle")
            wait_until(lambda: browser.count("#shelf li") > 0, "the list")
            browser.script("document.documentElement.scrollTop = 0;")
            self.check(browser, name, "conversations")
            browser.click("#who")
            self.check(browser, name, "sign-in")
            browser.click("#sign-in [data-show]")
            self.check(browser, name, "sign-up")

    def check(self, browser, name, scene):
        folder = os.environ.get("LEMMA_SCREENSHOTS")
        if folder:
            browser.screenshot(pathlib.Path(folder) / f"{name}-{scene}.png")
        overflow = browser.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth;")
        self.assertLessEqual(overflow, 0, "the page scrolls sideways")
        small = browser.script(
            "return [...document.querySelectorAll('button')].filter((button) => {"
            "  const box = button.getBoundingClientRect(); return box.height > 0 && box.height < 36;"
            "}).map((button) => button.textContent);"
        )
        self.assertEqual(small, [])

    def test_phone(self):
        self.look("phone", width=360, height=740, phone=True)

    def test_phone_dark(self):
        self.look("phone-dark", width=360, height=740, phone=True, dark=True)

    def test_desk_light(self):
        self.look("desk", width=1200, height=900)

    def test_desk_dark(self):
        self.look("desk-dark", width=1200, height=900, dark=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)

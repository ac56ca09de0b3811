"""Signing up, in and out on the web page, in a real browser against a running Lemma that wants accounts.

    LEMMA_ACCOUNTS_URL=http://127.0.0.1:8080 python3 -m unittest -v test_account        (in this folder)

Lemma has to run with accounts, short-lived access tokens and a paced mock provider beside the first one, such as

    AUTH_REQUIRED=true REGISTRATION=open JWT_ACCESS_TTL=3s AI_PROVIDERS=local,mock MOCK_TOKENS=300 \\
        MOCK_TOKEN_DELAY=20ms lemma dev

Environment:
    LEMMA_ACCOUNTS_URL  where it runs (required)
    LEMMA_URL           a Lemma that wants no accounts, for the tests of that (required)
"""

import json
import os
import unittest
import urllib.error
import urllib.request
import uuid

from test_page import ECHO, Page, base_url, problem_response, proxied
from webdriver import ENTER, ESCAPE, TAB, Browser, wait_until

PASSWORD = "correct horse battery"
ENDED = "Your session has ended. Sign in again to go on."


def accounts_url():
    url = os.environ.get("LEMMA_ACCOUNTS_URL", "").rstrip("/")
    if url == "":
        raise AssertionError("LEMMA_ACCOUNTS_URL must name a running Lemma with accounts")
    return url


def call(method, path, body=None, token=None):
    """The status and the object of the server's answer, past the page."""
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(accounts_url() + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            status, text = response.status, response.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text) if text else None


def new_email():
    return f"{uuid.uuid4().hex}@example.org"


def make_account():
    email = new_email()
    status, answer = call("POST", "/api/auth/register", {"email": email, "password": PASSWORD})
    assert status == 201, answer
    return email


class AccountPage(Page):
    """What the tests do and see of accounts on the page."""

    def is_asking(self):
        return self.browser.script("return document.getElementById('account').open;")

    def wait_for_form(self, notice=None):
        wait_until(self.is_asking, "the dialog")
        if notice is not None:
            wait_until(lambda: self.browser.text("#account-notice") == notice, notice)

    def wait_for_owner(self, words):
        wait_until(lambda: not self.is_asking(), "the dialog to be closed")
        wait_until(lambda: self.browser.text("#who-words") == words, words)

    def fill(self, form, email, password):
        self.browser.script("document.getElementById(arguments[0]).elements.email.value = '';", form)
        self.browser.type(f"#{form}-email", email)
        self.browser.type(f"#{form}-password", password + ENTER)

    def sign_in(self, email, password=PASSWORD):
        """Signs in by the button in the bar."""
        self.browser.click("#who")
        self.wait_for_form()
        self.fill("sign-in", email, password)
        self.wait_for_owner("Account")
        return self

    def sign_out(self):
        self.browser.click("#who")
        self.wait_for_form()
        self.browser.click("#sign-out")
        self.wait_for_owner("Sign in")

    def tokens(self):
        """What the tab keeps of the account."""
        return self.browser.script("return JSON.parse(sessionStorage.getItem('lemma.account'));")

    def error(self, field):
        """The words beside a field, as far as the field is marked and says so to a screen reader."""
        return self.browser.script(
            "const field = document.getElementById(arguments[0]);"
            "const words = document.getElementById(`${field.id}-error`);"
            "const isTold = field.getAttribute('aria-describedby').split(' ').includes(words.id);"
            "return isTold && field.getAttribute('aria-invalid') === 'true' ? words.textContent : '';",
            field,
        )

    def focused(self):
        return self.browser.script("return document.activeElement.id;")

    def in_module(self, source):
        """Runs an async body with the page's own `account` and `api`."""
        modules = "const { account } = await import('/assets/account.js'); const api = await import('/assets/api.js');"
        return self.browser.script_async(modules + source)


class AccountTest(unittest.TestCase):
    """A browser for the class; for each test a fresh page behind a proxy, whose address no other test has."""

    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())

    def setUp(self):
        self.proxy = self.enterContext(proxied(accounts_url()))
        self.page = AccountPage(self.browser, self.proxy.url)
        self.browser.console_errors()

    def tearDown(self):
        broken = [line for line in self.browser.console_errors() if "Content Security Policy" in line]
        self.assertEqual(broken, [])
        self.assertEqual(self.browser.script("return localStorage.length;"), 0)

    def refreshes(self):
        return self.proxy.count("POST /api/auth/refresh")

    def substitute_problem(self, start, status, title, detail="", headers="", **members):
        self.proxy.substitute(start, problem_response(status, title, detail, headers, **members))


class Signing(AccountTest):
    def test_a_problem_waits_for_the_sign_up_and_is_solved_then(self):
        email = new_email()
        self.page.open().ask("2x + 3 = 7")
        self.page.wait_for_form("Sign in to go on.")
        self.browser.click("#sign-in [data-show]")
        self.page.fill("sign-up", email, PASSWORD)
        self.page.wait_for_owner("Account")
        self.page.wait_for_state("completed")
        self.assertIn("x=2", self.page.shown().replace(" ", ""))
        self.browser.click("#who")
        self.assertEqual(self.browser.text("#account-email"), email)
        self.assertEqual(self.browser.count(".exchange"), 1)

    def test_tokens_are_kept_by_the_tab_alone_and_the_access_token_by_nothing(self):
        self.page.open().sign_in(make_account())
        access = self.page.in_module("return account.access.token;")
        self.assertRegex(access, r"^[\w-]+\.[\w-]+\.[\w-]+$")
        kept = self.browser.script("return [JSON.stringify({ ...sessionStorage }), document.cookie, location.href];")
        self.assertNotIn(access, "".join(kept))
        self.assertNotIn(PASSWORD, "".join(kept))
        self.assertEqual(self.browser.script("return document.getElementById('sign-in-password').value;"), "")

    def test_signing_out_leaves_nothing_of_the_user(self):
        self.page.open().sign_in(make_account()).ask("2x + 3 = 7")
        self.page.wait_for_state("completed")
        refresh_token = self.page.tokens()["refreshToken"]
        self.page.sign_out()
        self.assertEqual(self.browser.count(".exchange"), 0)
        self.assertEqual(self.browser.script("return location.hash;"), "")
        self.assertIsNone(self.page.tokens())
        self.assertNotIn("2x + 3", self.browser.script("return JSON.stringify({ ...sessionStorage });"))
        wait_until(lambda: self.proxy.count("POST /api/auth/logout") == 1, "the server to be told")
        self.assertEqual(call("POST", "/api/auth/refresh", {"refreshToken": refresh_token})[0], 401)

    def test_the_next_user_sees_nothing_of_the_one_before(self):
        self.page.open().sign_in(make_account()).ask("2x + 3 = 7")
        self.page.wait_for_state("completed")
        self.page.sign_out()
        self.page.sign_in(make_account())
        self.browser.click("#toggle")
        wait_until(lambda: self.proxy.count("GET /api/conversations") > 0, "the list to be asked for")
        self.assertEqual(self.browser.count("#shelf li"), 0)
        self.assertEqual(self.browser.count(".exchange"), 0)

    def test_a_reload_keeps_the_user(self):
        self.page.open().sign_in(make_account()).ask("2x + 3 = 7")
        self.page.wait_for_state("completed")
        self.browser.reload()
        wait_until(lambda: self.page.state() == "completed", "the answer")
        self.assertEqual(self.browser.text("#who-words"), "Account")
        self.page.ask("1 + 1")
        wait_until(lambda: self.browser.count(".exchange[data-state=completed]") == 2, "the second answer")
        self.assertFalse(self.page.is_asking())

    def test_who_closes_the_form_is_told_what_is_missing(self):
        self.page.open().ask("2x + 3 = 7")
        self.page.wait_for_form()
        self.browser.type("#sign-in-email", ESCAPE)
        self.page.wait_for_state("failed")
        self.assertFalse(self.page.is_asking())
        self.assertIn("Try again", self.browser.text(".exchange .problem"))
        self.browser.click("#toggle")
        self.page.wait_for_form()
        self.browser.click("#account-close")
        wait_until(lambda: "Sign in to see" in self.browser.text("#shelf-notice"), "the words")

    def test_a_server_that_cannot_be_told_of_the_end_is_said(self):
        self.page.open().sign_in(make_account())
        self.browser.click("#who")
        self.proxy.refuse(True)
        self.proxy.cut()
        self.browser.click("#sign-out")
        wait_until(lambda: "could not be told" in self.browser.text("#account-notice"), "the words", seconds=60)
        self.assertIsNone(self.page.tokens())


class Renewing(AccountTest):
    def test_an_access_token_is_renewed_before_it_ends(self):
        self.page.open().sign_in(make_account())
        first = self.page.tokens()["refreshToken"]
        wait_until(lambda: self.refreshes() >= 2, "two renewals by themselves")
        self.assertNotEqual(self.page.tokens()["refreshToken"], first)
        self.page.ask("2x + 3 = 7")
        self.page.wait_for_state("completed")

    def test_requests_at_once_share_one_renewal(self):
        self.page.open().sign_in(make_account())
        before = self.refreshes()
        self.page.in_module(
            "clearTimeout(account.timer);"
            "account.access = null;"
            "await Promise.all(Array.from({ length: 5 }, () => api.listConversations(null)));"
            "clearTimeout(account.timer);"
        )
        self.assertEqual(self.refreshes(), before + 1)

    def test_a_refused_access_token_is_renewed_once_and_the_request_repeated(self):
        self.page.open().sign_in(make_account())
        before = self.refreshes()
        self.substitute_problem("GET /api/conversations", "401 Unauthorized", "Not authenticated")
        self.page.in_module("clearTimeout(account.timer); await api.listConversations(null);")
        self.assertEqual(self.refreshes(), before + 1)
        self.assertFalse(self.page.is_asking())

    def test_a_renewal_whose_answer_got_lost_is_asked_for_again(self):
        self.page.open().sign_in(make_account())
        torn = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"
        self.proxy.substitute("POST /api/auth/refresh", torn, after_forwarding=True)
        self.page.in_module("account.access = null; await api.listConversations(null);")
        self.assertEqual(len(self.proxy.lost), 1)
        self.assertTrue(self.page.in_module("return account.isSignedIn;"))

    def test_a_server_that_is_away_for_a_while_does_not_end_the_session(self):
        self.page.open().sign_in(make_account())
        self.substitute_problem("POST /api/auth/refresh", "503 Service Unavailable", "Busy", "", "Retry-After: 1\r\n")
        self.page.in_module(
            "clearTimeout(account.timer); account.access = null; await api.listConversations(null).catch(() => {});"
        )
        self.page.ask("2x + 3 = 7")
        self.page.wait_for_state("completed")
        self.assertFalse(self.page.is_asking())

    def end_session(self):
        """Ends the page's session at the server."""
        status, _ = call("POST", "/api/auth/logout-all", token=self.page.in_module("return await account.token();"))
        self.assertEqual(status, 204)
        self.page.in_module("account.access = null;")

    def test_an_ended_session_is_said_and_the_problem_goes_on_after_the_sign_in(self):
        email = make_account()
        self.page.open().sign_in(email)
        self.end_session()
        self.page.ask("2x + 3 = 7")
        self.page.wait_for_form(ENDED)
        self.assertEqual(self.browser.script("return document.getElementById('sign-in-email').value;"), email)
        self.browser.type("#sign-in-password", PASSWORD + ENTER)
        self.page.wait_for_owner("Account")
        self.page.wait_for_state("completed")

    def test_another_user_does_not_go_on_with_what_an_ended_session_had_begun(self):
        self.page.open().sign_in(make_account())
        self.end_session()
        self.page.ask("2x + 3 = 7")
        self.page.wait_for_form(ENDED)
        submissions = self.proxy.count("POST /api/math/solve")
        self.page.fill("sign-in", make_account(), PASSWORD)
        self.page.wait_for_owner("Account")
        wait_until(lambda: self.browser.count(".exchange") == 0, "the page to be empty")
        self.page.in_module("await api.listConversations(null);")
        self.assertEqual(self.proxy.count("POST /api/math/solve"), submissions)

    def test_a_duplicated_tab_and_its_original_both_stay_signed_in(self):
        self.page.open().sign_in(make_account())
        first = self.browser.window()
        self.browser.script("window.open('/');")
        second = wait_until(lambda: next((w for w in self.browser.windows() if w != first), None), "the second tab")
        for window in (second, first, second, first):
            self.browser.switch(window)
            wait_until(lambda: self.browser.count("#problem"), "the page")
            self.page.in_module("account.access = null; await api.listConversations(null);")
        self.browser.switch(second)
        self.page.sign_out()
        self.browser.close_window()
        self.browser.switch(first)
        self.page.wait_for_owner("Sign in")


class Reopening(AccountTest):
    def test_a_running_answer_is_reopened_with_a_fresh_ticket(self):
        self.page.open("mock").sign_in(make_account()).ask(ECHO)
        self.page.wait_for_text(50)
        identifier = self.page.remembered()["id"]
        self.browser.script("sessionStorage.removeItem('lemma.session');")
        self.browser.reload()
        self.page.wait_for_text(50)
        self.assertEqual(self.page.remembered()["id"], identifier)
        self.assertEqual(self.proxy.count("POST /api/auth/ticket"), 1)
        self.page.wait_for_state("completed")
        token = self.page.in_module("return await account.token();")
        status, record = call("GET", f"/api/math/requests/{identifier}", token=token)
        self.assertEqual((status, record["answer"]), (200, self.page.remembered()["text"]))

    def test_a_stream_whose_ticket_is_refused_goes_on_with_a_fresh_one(self):
        self.page.open("mock").sign_in(make_account()).ask(ECHO)
        self.page.wait_for_text(50)
        self.substitute_problem("GET /api/math/stream/", "401 Unauthorized", "Not authenticated")
        self.proxy.cut()
        self.page.wait_for_state("completed")
        self.assertEqual(self.proxy.count("POST /api/auth/ticket"), 1)
        token = self.page.in_module("return await account.token();")
        record = call("GET", f"/api/math/requests/{self.page.remembered()['id']}", token=token)[1]
        self.assertEqual(record["answer"], self.page.remembered()["text"])


class Forms(AccountTest):
    def open_form(self, name):
        self.page.open()
        self.browser.click("#who")
        self.page.wait_for_form()
        if name == "sign-up":
            self.browser.click("#sign-in [data-show]")

    def words(self, form):
        return wait_until(lambda: self.browser.text(f"#{form} .whole"), "the words")

    def test_a_wrong_password_and_an_unknown_address_are_told_alike(self):
        self.open_form("sign-in")
        for email in (make_account(), new_email()):
            self.page.fill("sign-in", email, "a wrong password")
            self.assertEqual(self.words("sign-in"), "The e-mail address or the password is wrong.")
            self.assertEqual(self.page.focused(), "sign-in-password")
            self.browser.script("document.getElementById('sign-in-password').value = '';")

    def test_an_address_that_is_taken_is_told_beside_the_field(self):
        self.open_form("sign-up")
        self.page.fill("sign-up", make_account().upper(), PASSWORD)
        wait_until(lambda: "account with this e-mail" in self.page.error("sign-up-email"), "the words")
        self.assertEqual(self.page.focused(), "sign-up-email")
        self.browser.type("#sign-up-email", "x")
        self.assertEqual(self.page.error("sign-up-email"), "")

    def test_fields_at_fault_are_told_beside_them(self):
        self.open_form("sign-up")
        self.page.fill("sign-up", "no address", "short")
        wait_until(lambda: self.page.error("sign-up-email") and self.page.error("sign-up-password"), "both errors")
        self.assertEqual(self.page.focused(), "sign-up-email")

    def test_empty_fields_are_not_sent(self):
        self.open_form("sign-in")
        self.browser.click("#sign-in [type=submit]")
        self.assertEqual(self.page.error("sign-in-email"), "Enter your e-mail address.")
        self.assertEqual(self.page.error("sign-in-password"), "Enter a password.")
        self.assertEqual(self.proxy.count("POST /api/auth/login"), 0)

    def test_too_many_attempts_say_when_to_come_back(self):
        self.open_form("sign-in")
        self.substitute_problem("POST /api/auth/login", "429 Too Many Requests", "Limit", "", "Retry-After: 2\r\n")
        self.page.fill("sign-in", new_email(), PASSWORD)
        self.assertEqual(self.words("sign-in"), "Too many attempts. Try again in 2 s.")
        disabled = "return document.querySelector('#sign-in [type=submit]').disabled;"
        self.assertTrue(self.browser.script(disabled))
        wait_until(lambda: not self.browser.script(disabled), "the button")
        self.assertEqual(self.browser.text("#sign-in .whole"), "")

    def test_a_server_that_registers_nobody_says_so(self):
        self.open_form("sign-up")
        for status, words in (("403 Forbidden", "takes no new accounts"), ("404 Not Found", "no accounts with passwords")):
            self.substitute_problem("POST /api/auth/register", status, "No")
            self.page.fill("sign-up", new_email(), PASSWORD)
            wait_until(lambda: words in self.browser.text("#sign-up .whole"), words)
            self.browser.script("document.getElementById('sign-up-password').value = '';")

    def test_no_words_of_the_server_become_markup(self):
        self.open_form("sign-up")
        markup = "<img src=x onerror=\"document.title='seen'\">"
        errors = [{"field": "email", "message": markup}, {"field": "<b>", "message": markup}]
        self.substitute_problem("POST /api/auth/register", "422 Unprocessable Content", markup, markup, errors=errors)
        self.page.fill("sign-up", new_email(), PASSWORD)
        wait_until(lambda: self.page.error("sign-up-email") == markup + ".", "the words as they are")
        self.assertEqual(self.browser.text("#sign-up .whole"), markup + ".")
        self.assertEqual(self.browser.count("#account img"), 0)

    def test_a_used_up_budget_is_told_and_not_waited_for(self):
        self.page.open().sign_in(make_account())
        self.substitute_problem(
            "POST /api/math/solve", "429 Too Many Requests", "The daily budget is used up", "No tokens are left today.",
            "Retry-After: 20000\r\n", type="/problems/budget-exhausted",
        )
        self.page.ask("2x + 3 = 7")
        self.page.wait_for_state("failed")
        self.assertIn("No tokens are left today. Try again in 6 h.", self.browser.text(".exchange .problem"))

    def test_the_fields_have_labels_and_say_what_they_are_for(self):
        self.open_form("sign-in")
        fields = self.browser.script(
            "return [...document.querySelectorAll('#account input')].map((input) =>"
            " [input.id, input.labels.length, input.type, input.autocomplete]);"
        )
        self.assertEqual(
            fields,
            [
                ["sign-in-email", 1, "email", "username"],
                ["sign-in-password", 1, "password", "current-password"],
                ["sign-up-email", 1, "email", "username"],
                ["sign-up-password", 1, "password", "new-password"],
            ],
        )
        roles = self.browser.script("return [...document.querySelectorAll('#account .whole')].map((n) => n.role);")
        self.assertEqual(roles, ["alert", "alert"])

    def test_everything_is_done_by_the_keyboard(self):
        email = make_account()
        self.page.open()
        self.browser.script("document.getElementById('who').focus();")
        self.browser.keys(ENTER)
        self.page.wait_for_form()
        self.assertEqual(self.page.focused(), "sign-in-email")
        self.browser.keys(email + TAB)
        self.assertEqual(self.page.focused(), "sign-in-password")
        self.browser.keys(PASSWORD + ENTER)
        self.page.wait_for_owner("Account")
        self.browser.script("document.getElementById('who').focus();")
        self.browser.keys(ENTER)
        self.page.wait_for_form()
        self.assertEqual(self.page.focused(), "sign-out")
        self.browser.keys(ESCAPE)
        wait_until(lambda: not self.page.is_asking(), "the dialog to be closed")
        self.assertEqual(self.page.focused(), "who")


class WithoutAccounts(unittest.TestCase):
    """Where none are wanted, the page works as if there were none, and has them all the same."""

    def setUp(self):
        self.browser = self.enterContext(Browser())
        self.proxy = self.enterContext(proxied(base_url()))
        self.page = AccountPage(self.browser, self.proxy.url)

    def test_nobody_is_asked(self):
        self.page.open().ask("2x + 3 = 7")
        self.page.wait_for_state("completed")
        self.browser.click("#toggle")
        wait_until(lambda: self.browser.count("#shelf li") > 0, "the list")
        self.browser.reload()
        wait_until(lambda: self.page.state() == "completed", "the answer")
        self.assertFalse(self.page.is_asking())
        self.assertEqual(self.proxy.count("POST /api/auth/"), 0)

    def test_an_account_shows_what_is_its_own(self):
        self.page.open().ask("2x + 3 = 7")
        self.page.wait_for_state("completed")
        self.browser.click("#who")
        self.page.wait_for_form()
        self.browser.click("#sign-in [data-show]")
        self.page.fill("sign-up", new_email(), PASSWORD)
        self.page.wait_for_owner("Account")
        wait_until(lambda: self.browser.count(".exchange") == 0, "the page to be empty")
        self.page.ask("1 + 1")
        self.page.wait_for_state("completed")
        conversation = self.page.remembered()["conversationId"]
        self.page.sign_out()
        self.browser.open(f"{self.proxy.url}/#{conversation}")
        self.browser.reload()
        wait_until(lambda: "does not exist" in self.browser.text("#hint"), "the words")


if __name__ == "__main__":
    unittest.main(verbosity=2)

"""The dashboard in a real browser, on the running local cloud: a failed job is found, understood, corrected, replayed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from infra.local.cloud import LocalCloud
from shared import database
from shared.dispatcher import enqueue
from shared.jobs.send_email import SendEmail, WelcomeData
from tests.browser.conftest import find_browser
from tests.e2e.conftest import wait_until_ended

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_PATIENCE = 90_000  # milliseconds: everything here starts cold


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The machine's own, without a window."""
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium on this machine: install it, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def local_cloud(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[LocalCloud]:
    """Everything a stack has; QStash's waits are a hundredth of the real ones."""
    folder: Path = tmp_path_factory.mktemp("cloud")
    with LocalCloud(folder, fresh=True, backoff_scale=0.01, reconcile_seconds=3600) as running:
        yield running


@pytest.fixture
def producer(local_cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process may enqueue."""
    for name, value in local_cloud.environment.items():
        monkeypatch.setenv(name, value)
    yield
    database.discard()


@pytest.fixture
def tab(chromium: Browser, local_cloud: LocalCloud, producer: None) -> Iterator[Page]:
    """A tab on which nothing may go wrong: no error of a script, nothing that the content policy refuses."""
    troubles: list[str] = []
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda line: troubles.append(line.text) if _is_trouble(line) else None)
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    yield page
    context.close()
    assert troubles == []


def _is_trouble(line: ConsoleMessage) -> bool:
    """An answer of 4xx is none: a wrong payload gets one."""
    return line.type == "error" and "the server responded with a status of 4" not in line.text


def failed_mail(cloud: LocalCloud, address: str) -> UUID:
    """A job that Resend refuses for good."""
    cloud.mailbox.fail_next(1, status=422, to=address)
    job_id = enqueue(SendEmail(to=address, data=WelcomeData(name="Ada")), organization_id=7)
    assert wait_until_ended(job_id, seconds=90).status == "failed"
    return job_id


def sign_in(tab: Page, cloud: LocalCloud) -> None:
    tab.goto(cloud.dashboard_url)
    tab.get_by_label("API key").fill(cloud.api_key)
    tab.get_by_role("button", name="Sign in").click()
    expect(tab.get_by_role("heading", name="Overview")).to_be_visible()


def test_a_failed_job_is_found_understood_corrected_and_watched_until_it_completes(
    tab: Page, local_cloud: LocalCloud
) -> None:
    job_id = failed_mail(local_cloud, "ada@exmaple.com")
    sign_in(tab, local_cloud)
    expect(tab.get_by_text("Resend refused the mail").first).to_be_visible()

    tab.get_by_role("navigation", name="Main").get_by_role("link", name="Jobs").click()
    tab.get_by_label("Status").select_option("failed")
    tab.get_by_role("button", name="Filter").click()
    expect(tab).to_have_url(re.compile(r"/jobs\?status=failed$"))
    tab.get_by_role("link", name=re.compile("send-email")).first.click()

    expect(tab).to_have_url(re.compile(f"/jobs/{job_id}$"))
    expect(tab.get_by_label("Error", exact=True)).to_contain_text("Resend refused the mail")
    editor = tab.get_by_label("Payload as JSON")
    editor.fill(editor.input_value().replace("ada@exmaple.com", "nobody"))
    tab.get_by_role("button", name="Correct and run again").click()
    expect(tab.get_by_role("alert")).to_contain_text("to")
    editor.fill(editor.input_value().replace("nobody", "ada@example.com"))
    tab.get_by_role("button", name="Correct and run again").click()

    expect(tab.get_by_role("status")).to_contain_text("The payload was corrected")
    expect(tab.locator("h1 .badge")).to_have_text("completed")  # by itself: nothing is loaded anew here
    expect(tab.get_by_label("Result")).to_contain_text("emailId")
    (mail,) = [mail for mail in local_cloud.mailbox.mails if mail.to == ["ada@example.com"]]
    assert mail.idempotency_key == f"{job_id}-2"


def test_dead_letters_are_replayed_at_once_with_their_progress(tab: Page, local_cloud: LocalCloud) -> None:
    job_ids = [failed_mail(local_cloud, f"grace{number}@example.com") for number in range(3)]
    sign_in(tab, local_cloud)
    tab.keyboard.press("g")
    tab.keyboard.press("d")
    expect(tab.get_by_role("heading", name="Dead letters")).to_be_visible()
    tab.get_by_role("link", name="Replay…").first.click()
    tab.get_by_role("button", name="Run again").click()
    expect(tab.get_by_role("heading", name=re.compile(r"\d jobs? run again\."))).to_be_visible()
    assert {wait_until_ended(job_id, seconds=90).status for job_id in job_ids} == {"completed"}


def test_the_overview_draws_its_chart_and_renews_itself(tab: Page, local_cloud: LocalCloud) -> None:
    sign_in(tab, local_cloud)
    expect(tab.locator(".chart canvas")).to_be_visible()
    tiles = tab.get_by_label("Figures")
    before = tiles.inner_text()
    failed_mail(local_cloud, "renewed@example.com")
    expect(tiles).not_to_have_text(before)
    expect(tab.get_by_text(re.compile("renewed|Resend refused")).first).to_be_visible()


def test_signed_out_is_signed_out_in_every_tab(tab: Page, local_cloud: LocalCloud) -> None:
    sign_in(tab, local_cloud)
    other = tab.context.new_page()
    other.goto(local_cloud.dashboard_url + "jobs?status=failed")
    expect(other.get_by_role("heading", name="Jobs")).to_be_visible()
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_label("API key")).to_be_visible()
    tab.reload()
    expect(tab.get_by_label("API key")).to_be_visible()
    cookies = tab.context.cookies()
    assert not [cookie for cookie in cookies if "posthaste" in str(cookie.get("name"))]


def test_the_session_is_kept_from_scripts_and_other_sites(tab: Page, local_cloud: LocalCloud) -> None:
    sign_in(tab, local_cloud)
    (cookie,) = tab.context.cookies()
    assert (cookie.get("httpOnly"), cookie.get("secure"), cookie.get("sameSite")) == (True, True, "Strict")
    assert tab.evaluate("document.cookie") == ""

"""One of each other job, on the seeded organization's data."""

from __future__ import annotations

from datetime import UTC, date, datetime

from infra.local.demonstration.scene import Act, Scene, in_words, plural, require, shown
from shared.envelope import Payload
from shared.job_request import JobRequest
from shared.jobs.cleanup_old_data import CleanupOldData
from shared.jobs.crm_match import CrmMatch
from shared.jobs.export_data import EntityType, ExportData
from shared.jobs.generate_report import GenerateReport, ReportFormat, ReportType
from shared.jobs.process_stripe_webhook import ProcessStripeWebhook
from shared.jobs.process_webhook import ProcessWebhook, WebhookSource
from shared.jobs.send_notification import (
    AdverseAction,
    ConsumerReportingAgency,
    CreditScore,
    SendNotification,
)
from shared.jobs.send_reminder import ReminderType, SendReminder
from shared.jobs.syndicate_listing import Platform, SyndicateListing
from shared.rows import Execution

_BOUNCING = "gone@example.com"
_PLATFORMS = [Platform.ZILLOW, Platform.CRAIGSLIST, Platform.REALTOR]


def workers(scene: Scene) -> list[Act]:
    """One of each."""
    seeded = scene.seeded

    def request(payload: Payload) -> JobRequest:
        return JobRequest(payload, user_id=seeded.owner_id, organization_id=seeded.organization_id)

    export = ExportData(entity_type=EntityType.ACTIVITY_LOGS)
    report = GenerateReport(report_type=ReportType.REVENUE, format=ReportFormat.PDF)
    reminder = SendReminder(
        reminder_type=ReminderType.DAY1,
        applicant_id=seeded.applicant_id,
        application_id=seeded.application_id,
    )
    return [
        Act("activity log as CSV", request(export), _exported),
        Act("last month's revenue as PDF", request(report), _reported),
        Act("GitHub push", request(_push()), _in_activity_log),
        Act("Resend bounce", request(_bounce()), _suppressed),
        Act(
            "Stripe: what was due is paid",
            request(_subscription_active_again(scene)),
            _subscription_brought_up_to_date,
        ),
        Act("whatever is past its retention", request(CleanupOldData()), _cleaned_up),
        Act(
            f"a home on {in_words(_PLATFORMS)}",
            request(SyndicateListing(listing_id=seeded.listing_id, platforms=_PLATFORMS)),
            _advertised,
        ),
        Act("documents are missing", request(reminder), _reminded),
        Act(
            "an agent's leads for a home",
            request(CrmMatch(listing_id=seeded.listing_id, agent_id=seeded.agent_id)),
            _matched,
        ),
        Act("adverse action, with a credit score", request(_adverse_action(scene)), _notified),
    ]


# --- what comes in ------------------------------------------------------------------------------------------


def _push() -> ProcessWebhook:
    commit = {
        "id": "9f2c1e7d4b8a6053c1d2e3f4a5b6c7d8e9f00112",
        "message": "Show the deposit on every listing",
        "url": "https://github.com/acme/website/commit/9f2c1e7d",
        "author": {"name": "Grace Hopper", "username": "grace"},
    }
    data = {
        "ref": "refs/heads/main",
        "after": commit["id"],
        "repository": {"id": 1, "full_name": "acme/website", "html_url": "https://github.com/acme/website"},
        "pusher": {"name": "grace"},
        "sender": {"login": "grace", "id": 1},
        "commits": [commit],
        "head_commit": commit,
    }
    return ProcessWebhook(source=WebhookSource.GITHUB, event="push", data=data, event_id="demo-delivery-1")


def _bounce() -> ProcessWebhook:
    now = datetime.now(UTC).isoformat()
    data = {
        "email_id": "5f6d8e1c-0b6e-4c0a-9d5b-3a1f2e4d5c6b",
        "from": "Acme <hello@example.com>",
        "to": [_BOUNCING],
        "subject": "Welcome to Acme",
        "created_at": now,
        "bounce": {"type": "Permanent", "subType": "General", "message": "there is no such mailbox"},
    }
    body = {"type": "email.bounced", "created_at": now, "data": data}
    return ProcessWebhook(
        source=WebhookSource.RESEND, event="email.bounced", data=body, event_id="demo-bounce-1"
    )


def _subscription_active_again(scene: Scene) -> ProcessStripeWebhook:
    (row,) = scene.rows(
        "SELECT s.stripe_subscription_id, o.stripe_customer_id, s.amount, lower(s.currency) AS currency,"
        " s.billing_interval, s.started_at, s.current_period_start, s.current_period_end, s.plan"
        " FROM app.subscriptions s JOIN app.organizations o ON o.id = s.organization_id WHERE s.id = %s",
        scene.seeded.past_due_subscription_id,
    )
    period = {
        "current_period_start": int(row["current_period_start"].timestamp()),
        "current_period_end": int(row["current_period_end"].timestamp()),
    }
    price = {
        "id": "price_demo",
        "nickname": row["plan"],
        "unit_amount": row["amount"],
        "currency": row["currency"],
        "recurring": {"interval": row["billing_interval"], "interval_count": 1},
    }
    subscription = {
        "id": row["stripe_subscription_id"],
        "object": "subscription",
        "customer": row["stripe_customer_id"],
        "status": "active",
        "currency": row["currency"],
        "cancel_at_period_end": False,
        "start_date": int(row["started_at"].timestamp()),
        "created": int(row["started_at"].timestamp()),
        "metadata": {},
        "items": {"object": "list", "data": [{"id": "si_demo", "quantity": 1, "price": price, **period}]},
        **period,
    }
    return ProcessStripeWebhook(
        event_type="customer.subscription.updated",
        event_id="evt_demo_1",
        created=int(datetime.now(UTC).timestamp()),
        event_data=subscription,
    )


def _adverse_action(scene: Scene) -> SendNotification:
    data = AdverseAction(
        action="Your application for the home was denied. The decision is based in part on a consumer report.",
        decided_on=date.today(),  # noqa: DTZ011  # a letter's date
        agency=ConsumerReportingAgency(
            name="Example Credit Bureau",
            address="1 Example Plaza, Springfield, IL 62701",
            toll_free_phone="800-555-0199",
        ),
        credit_score=CreditScore(
            score=571,
            lowest=300,
            highest=850,
            scored_on=date.today(),  # noqa: DTZ011
            source="Example Credit Bureau",
            key_factors=["Balances are high for the limits granted", "A payment was late in the last year"],
        ),
    )
    return SendNotification(recipient_id=scene.seeded.applicant_id, template_data=data)


# --- what was made ------------------------------------------------------------------------------------------


def _exported(scene: Scene, job: Execution) -> str:
    path = scene.keep(job.result["key"], "activity-log")
    lines = path.read_text("utf-8").count("\n") - 1
    require(lines >= job.result["rows"] > 0, f"the export has {lines} lines for {job.result['rows']} rows")
    return f"{plural(job.result['rows'], 'row')}, {plural(path.stat().st_size, 'byte')}: {shown(path)}"


def _reported(scene: Scene, job: Execution) -> str:
    path = scene.keep(job.result["key"], "revenue")
    require(path.read_bytes().startswith(b"%PDF"), "the report is no PDF")
    return shown(path)


def _in_activity_log(scene: Scene, _job: Execution) -> str:
    found = scene.rows(
        "SELECT action, subject_id FROM app.activity_logs WHERE external_id LIKE 'demo-delivery-1%%'"
    )
    require(found, "the push is not in the activity log")
    return f"app.activity_logs: {found[0]['action']} {found[0]['subject_id']}"


def _suppressed(scene: Scene, _job: Execution) -> str:
    found = scene.rows("SELECT reason FROM app.email_suppressions WHERE email = %s", _BOUNCING)
    require(found, f"{_BOUNCING} may still be mailed")
    return f"app.email_suppressions: {_BOUNCING}, {found[0]['reason']}"


def _subscription_brought_up_to_date(scene: Scene, _job: Execution) -> str:
    (row,) = scene.rows(
        "SELECT stripe_subscription_id, status FROM app.subscriptions WHERE id = %s",
        scene.seeded.past_due_subscription_id,
    )
    require(row["status"] == "active", f"the subscription is {row['status']}")
    return f"app.subscriptions: {row['stripe_subscription_id']} is {row['status']}"


def _cleaned_up(scene: Scene, job: Execution) -> str:
    deleted = {table: number for table, number in job.result["deleted"].items() if number}
    (row,) = scene.rows(
        "SELECT key, deleted_at FROM app.exports WHERE id = %s", scene.seeded.expired_export_id
    )
    require(row["deleted_at"], "the expired export still counts as there")
    require(
        row["key"] not in scene.cloud.aws.keys(scene.cloud.files_bucket), "the expired export's file is there"
    )
    return "deleted: " + in_words([f"{number:,} of {table}" for table, number in deleted.items()])


def _advertised(scene: Scene, _job: Execution) -> str:
    found = scene.rows(
        "SELECT platform, external_url FROM app.listing_syndications WHERE listing_id = %s AND status = 'published'"
        " ORDER BY platform",
        scene.seeded.listing_id,
    )
    require(
        len(found) == len(_PLATFORMS), f"{plural(len(found), 'platform')} of {len(_PLATFORMS)} have the home"
    )
    for platform in _PLATFORMS:
        require(scene.cloud.platforms.advertised(platform), f"{platform} does not show the home")
    return "app.listing_syndications: published on " + in_words([row["platform"] for row in found])


def _reminded(scene: Scene, _job: Execution) -> str:
    (mail,) = _mails_to_user(scene, scene.seeded.applicant_id, "reminder")
    later = scene.rows(
        "SELECT not_before FROM job_executions WHERE job_type = 'send-reminder' AND status = 'pending'"
    )
    require(later, "the next reminder is not queued")
    return f"next one {later[0]['not_before']:%Y-%m-%d}; {mail}"


def _matched(scene: Scene, job: Execution) -> str:
    (row,) = scene.rows(
        "SELECT count(*) AS matches, max(score) AS best FROM app.lead_matches WHERE listing_id = %s",
        scene.seeded.listing_id,
    )
    require(row["matches"] == job.result["matches"] > 0, "the matches are not there")
    return f"app.lead_matches: {plural(row['matches'], 'lead')}, the best scores {row['best']}"


def _notified(scene: Scene, job: Execution) -> str:
    told = scene.rows("SELECT channel FROM app.notifications WHERE job_id = %s ORDER BY channel", job.job_id)
    require(len(told) == 2, f"told over {len(told)} channels of two")
    (sealed,) = scene.rows(
        "SELECT payload::text AS payload FROM job_executions WHERE job_id = %s", job.job_id
    )
    require("571" not in sealed["payload"], "the credit score can be read in job_executions")
    (mail,) = _mails_to_user(scene, scene.seeded.applicant_id, "adverse")
    return f"{mail}; sealed in job_executions"


def _mails_to_user(scene: Scene, user_id: int, word: str) -> list[str]:
    (user,) = scene.rows("SELECT email FROM app.users WHERE id = %s", user_id)
    arrived = [mail for mail in scene.mails_to(user["email"]) if _is_about(mail.text, word)]
    require(len(arrived) == 1, f"{plural(len(arrived), 'mail')} to {user['email']} about {word!r}, not one")
    return [shown(scene.path_of(mail)) for mail in arrived]


def _is_about(text: str, word: str) -> bool:
    """Whether it is the adverse action's mail, which quotes the law, or another."""
    return ("consumer report" in text.lower()) == (word == "adverse")

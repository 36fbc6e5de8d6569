"""One of each other job that an application enqueues, on the seeded organization's data."""

from __future__ import annotations

from datetime import date

from infra.local.demonstration.scene import Act, Scene, in_words, plural, require, shown
from shared.envelope import Payload
from shared.job_request import JobRequest
from shared.jobs.cleanup_old_data import CleanupOldData
from shared.jobs.crm_match import CrmMatch
from shared.jobs.export_data import EntityType, ExportData
from shared.jobs.generate_report import GenerateReport, ReportFormat, ReportType
from shared.jobs.send_notification import (
    AdverseAction,
    ConsumerReportingAgency,
    CreditScore,
    SendNotification,
)
from shared.jobs.send_reminder import ReminderType, SendReminder
from shared.jobs.syndicate_listing import Platform, SyndicateListing
from shared.rows import Execution

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


# --- what is asked for ----------------------------------------------------------------------------------------


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

"""The questions of the demo, in the order in which it asks them."""

from __future__ import annotations

from dataclasses import dataclass

COLLABORATION = "retail-media"


@dataclass(frozen=True, slots=True)
class Question:
    """What the analyst wants to know, how it is asked, and what to look at in the answer."""

    title: str
    sql: str
    remark: str = ""


OVERLAP = Question(
    "How many of the retailer's members read the publisher's pages?",
    """\
SELECT COUNT(DISTINCT c.user_id) AS people
FROM retailer.customers AS c
JOIN publisher.impressions AS i ON c.email_sha256 = i.email_sha256""",
    "Members who did not consent are not among them: the retailer's own filter is part of every query.",
)
REACH = Question(
    "Whom does each campaign reach, by region?",
    """\
SELECT i.campaign, c.region, COUNT(DISTINCT c.user_id) AS reach
FROM publisher.impressions AS i
JOIN retailer.customers AS c ON i.email_sha256 = c.email_sha256
WHERE i.campaign IN ('Winter Sale', 'Spring Fashion', 'Founders Evening')
GROUP BY i.campaign, c.region
ORDER BY i.campaign, reach DESC""",
)
SPEND = Question(
    "What was spent on members, and what share of it is each campaign's?",
    """\
SELECT i.campaign, COUNT(*) AS impressions, SUM(i.cost_usd) AS spend_usd,
       ROUND(100 * SUM(i.cost_usd) / SUM(SUM(i.cost_usd)) OVER (), 1) AS share
FROM publisher.impressions AS i
JOIN retailer.customers AS c ON i.email_sha256 = c.email_sha256
GROUP BY i.campaign
ORDER BY spend_usd DESC
LIMIT 5""",
    "The arithmetic and the window run on released rows: they see groups, never people.",
)
BUYERS = Question(
    "Who of them bought in the weeks before Christmas? Three datasets, two owners.",
    """\
SELECT i.campaign, COUNT(DISTINCT o.user_id) AS buyers
FROM publisher.impressions AS i
JOIN retailer.customers AS c ON i.email_sha256 = c.email_sha256
JOIN retailer.orders AS o ON c.user_id = o.user_id
WHERE o.ts >= DATE '2025-11-24' AND o.ts < DATE '2025-12-24'
GROUP BY i.campaign
ORDER BY buyers DESC
LIMIT 5""",
)
SMALL = Question(
    "And by region alone? The catalog names five regions.",
    """\
SELECT c.region, COUNT(DISTINCT c.user_id) AS people
FROM retailer.customers AS c
JOIN publisher.impressions AS i ON c.email_sha256 = i.email_sha256
GROUP BY c.region
ORDER BY people DESC""",
    "Four rows. Twelve members live on the islands: fewer than fifty, so the answer is as if they were not there.\n"
    "The same goes for 'Founders Evening' above, which reached thirty people.",
)
REFUSED = Question(
    "A question with everything wrong in it",
    """\
SELECT c.email_sha256, c.notes, MAX(o.amount_usd) AS top, SUM(i.cost_usd) AS spend
FROM retailer.customers AS c
JOIN retailer.orders AS o ON c.user_id = o.user_id
JOIN publisher.impressions AS i ON c.email_sha256 = i.email_sha256
WHERE c.lifetime_value > 5000
GROUP BY c.email_sha256, c.notes, date_trunc('day', o.ts)""",
    "All of it is said at once, with places and with what would be accepted.",
)

ANSWERED = (OVERLAP, REACH, SPEND, BUYERS, SMALL)

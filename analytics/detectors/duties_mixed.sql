/*
id         = "AUTH-09"
title      = "Separation of duties broken, or an account shared"
kind       = "episodes"
severity   = "high"
every      = "1h"
looks_back = "3h"
watches    = "family IN ('lunash', 'sshd') AND operation = 'login' AND outcome = 'ok'"
in_change_window = "lower"
finds = """
One account of the appliance has taken two roles within an hour that must be two people's: Security Officer and auditor,
administrator and auditor, or Security Officer and Crypto Officer. Or one account has logged in from two addresses within
half an hour: it is shared, or somebody else has its password."""
blind_spots = """
Roles that are taken from a client (lunacm) leave no account in the audit log. People who share a jump host look alike:
this looks at accounts. Whether a Crypto Officer does what a Crypto User could do is not judged here."""
runbook = """
1. Who sits behind `account`? Two people: give each an account. One: take one of `roles` away from it.
2. shared: are `sources` two jump hosts of one person? Ask. Nobody logged in from one of them: the password is out, change it.
3. A small team that accepts the risk? Allow it by name, with an owner and an end ([[allow]])."""
recommendations = ["3.1", "2.4"]
frameworks = ["PCI DSS 4.0.1 10.2.2", "NIST SP 800-53 AU-9(4)", "CA/B NSR 2f", "WebTrust 3.10", "SOC 2 CC6.3"]
attack = { version = "19", techniques = ["T1078"] }

[parameters]
pairs           = { default = ["au so", "au admin", "co so", "au co"], why = "Roles, in the order of the alphabet, that no account may take together." }
pair_minutes    = { default = 60, why = "So near each other two roles count as taken together." }
source_minutes  = { default = 30, why = "So near each other two addresses count as at once." }
others          = { default = ["monitor"], why = "Accounts that AUTH-06 watches." }
administrators  = { default = ["admin", "operator"], why = "Roles of the appliance in the roster that make an account an administrator's." }
*/
WITH logins AS (
    SELECT record_id, event_at, account, source, role, command,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND family IN ('lunash', 'sshd')
      AND operation = 'login' AND outcome = 'ok' AND account IS NOT NULL AND NOT list_contains($others, account)
),
taken AS (  -- a role of the HSM; and an account that the roster calls an administrator's has that role as well
    SELECT record_id, event_at, account, hsm, source, role FROM logins WHERE command IS NOT NULL AND role <> ''
    UNION ALL
    SELECT record_id, event_at, account, hsm, source, 'admin'
    FROM logins
    WHERE command IS NOT NULL AND role = 'au'
      AND EXISTS (FROM accounts WHERE accounts.name = account AND (len(devices) = 0 OR list_contains(devices, hsm)) AND list_has_any(roles, $administrators))
),
conflicts AS (
    SELECT one.hsm, one.account, concat(least(one.role, other.role), ' and ', greatest(one.role, other.role)) AS roles,
        unnest([one, other]) AS member
    FROM taken AS one
    JOIN taken AS other ON other.hsm = one.hsm AND other.account = one.account
        AND list_contains($pairs, concat(one.role, ' ', other.role))
        AND other.event_at BETWEEN one.event_at - to_minutes($pair_minutes) AND one.event_at + to_minutes($pair_minutes)
),
places AS (
    SELECT one.hsm, one.account, unnest([one, other]) AS member
    FROM logins AS one
    JOIN logins AS other ON other.hsm = one.hsm AND other.account = one.account AND other.source <> one.source
        AND other.event_at BETWEEN one.event_at - to_minutes($source_minutes) AND one.event_at
    WHERE one.command IS NULL AND other.command IS NULL
      AND one.source NOT IN ('', 'Console') AND other.source NOT IN ('', 'Console')
),
members AS (
    SELECT DISTINCT hsm, account, 'roles' AS what, roles, member.record_id AS record_id, member.event_at AS event_at, member.source AS source FROM conflicts
    UNION ALL
    SELECT DISTINCT hsm, account, 'shared', NULL, member.record_id, member.event_at, member.source FROM places
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, account, what ORDER BY event_at) > INTERVAL 1 HOUR, true) AS begins
    FROM members
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, account, what ORDER BY event_at) AS run
    FROM steps
)
SELECT
    concat(if(what = 'shared', 'shared account ', 'roles of '), account, ' on ', hsm)  AS subject,
    min(event_at)                                                                      AS first_seen,
    max(event_at)                                                                      AS last_seen,
    if(what = 'shared', 'medium', 'high')                                              AS severity,
    hsm                                                                                AS device,
    account,
    coalesce(list_sort(list(DISTINCT roles) FILTER (roles IS NOT NULL)), [])    AS roles,
    coalesce(list_sort(list(DISTINCT source) FILTER (source IS NOT NULL)), [])  AS sources,
    list_sort(list(DISTINCT record_id))                                         AS evidence
FROM runs
GROUP BY hsm, account, what, run
ORDER BY first_seen, subject

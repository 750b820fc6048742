/*
id         = "COMP-02"
title      = "Takeover: guessed in, rights changed, keys leaving"
kind       = "episodes"
severity   = "critical"
every      = "live"
looks_back = "50h"
watches    = "operation = 'login' AND role = '' AND command IS NULL AND family <> 'hsm_audit' OR operation IN ('user_add', 'user_enable', 'user_role_set', 'user_password_set', 'role_secret_set', 'role_secret_reset', 'role_init', 'key_wrap', 'clone_out', 'clone_policy_set')"
in_change_window = "never"
finds = """
An account was guessed (failed logins in a burst, then a success of the same account or source), that account then changed
accounts or credentials of roles, and keys left the HSM, or somebody tried to move them out, within a day of that."""
blind_spots = """
A guesser who needs few tries gives no burst. Keys that are copied to the partner or to a backup HSM count as leaving, since
after such a day nobody knows whose partner it is. Each step alone is AUTH-03's, AUTH-08's or PRIV-04's, and KEYS-03's."""
runbook = """
1. An incident: close the way to `device` for all but one person, disable `account`, end its sessions.
2. `changed` says which accounts and credentials are no longer yours: reset them from the console, with the key custodians there.
3. `leaving` says how keys left. Treat them as out: revoke certificates, plan new keys, keep all lines in evidence.
4. Look at the other devices on which `account` exists."""
recommendations = ["2.2", "3.2", "5.2"]
frameworks = ["PCI DSS 4.0.1 10.4.1", "NIST SP 800-53 AU-6", "CA/B NSR 3c", "SOC 2 CC7.3"]
attack = { version = "19", techniques = ["T1110", "T1098", "T1552.004"] }

[parameters]
burst         = { default = 6, why = "Failures from one source within five minutes; SSH drops a session after six." }
accounts      = { default = 3, why = "Accounts tried from one source within ten minutes." }
after_minutes = { default = 30, why = "So long after the burst a success of the same account or source counts." }
within_hours  = { default = 24, why = "So long from one step to the next." }
*/
WITH lines AS (
    SELECT record_id, event_at, operation, outcome, family, role, command, setting, value,
        coalesce(source, '')                                  AS source,
        coalesce(account, '')                                 AS account,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND (operation = 'login' AND role = '' AND command IS NULL AND family <> 'hsm_audit'
           OR operation IN ('user_add', 'user_enable', 'user_role_set', 'user_password_set', 'role_secret_set', 'role_secret_reset',
                            'role_init', 'key_wrap', 'clone_out', 'clone_policy_set'))
),
failed AS (
    SELECT hsm, source, account, event_at, date_trunc('minute', event_at) AS minute,
        count(*) OVER (PARTITION BY hsm, source, form ORDER BY event_at RANGE BETWEEN INTERVAL 5 MINUTE PRECEDING AND CURRENT ROW) >= $burst
            OR count(DISTINCT nullif(account, '')) OVER (PARTITION BY hsm, source ORDER BY event_at RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW) >= $accounts AS hot
    FROM lines
    WHERE operation = 'login' AND outcome = 'failed' AND source <> ''
),
hot AS (  -- a minute is enough: a burst may have thousands of tries
    SELECT hsm, source, minute, min(event_at) AS first, max(event_at) AS last FROM failed WHERE hot GROUP BY ALL
),
tried AS (
    SELECT DISTINCT hsm, source, account, minute FROM failed WHERE account <> ''
),
entries AS (
    SELECT * FROM lines WHERE operation = 'login' AND outcome = 'ok' AND source NOT IN ('', 'Console') AND account <> ''
),
guessed AS (  -- who is in now, and since when: from where was guessed, or as who was guessed
    SELECT entries.hsm, entries.account, entries.source, entries.event_at, entries.record_id
    FROM entries
    JOIN hot ON hot.hsm = entries.hsm AND hot.source = entries.source
        AND hot.first <= entries.event_at AND hot.last >= entries.event_at - to_minutes($after_minutes)
    UNION
    SELECT entries.hsm, entries.account, entries.source, entries.event_at, entries.record_id
    FROM entries
    JOIN tried ON tried.hsm = entries.hsm AND tried.account = entries.account
        AND tried.minute BETWEEN entries.event_at - to_minutes($after_minutes + 11) AND entries.event_at
    JOIN hot ON hot.hsm = tried.hsm AND hot.source = tried.source AND hot.minute BETWEEN tried.minute AND tried.minute + INTERVAL 10 MINUTE
        AND hot.first <= entries.event_at AND hot.last >= entries.event_at - to_minutes($after_minutes)
),
changes AS (
    SELECT * FROM lines
    WHERE family = 'lunash' AND outcome <> 'failed' AND operation NOT IN ('login', 'key_wrap', 'clone_out', 'clone_policy_set')
),
changed AS (
    SELECT guessed.hsm, guessed.account, guessed.source, guessed.event_at AS entered_at, guessed.record_id AS entered_record,
        changes.event_at AS changed_at, changes.record_id AS changed_record, coalesce(changes.setting, changes.command) AS what
    FROM guessed
    JOIN changes ON changes.hsm = guessed.hsm AND changes.account = guessed.account
        AND changes.event_at BETWEEN guessed.event_at AND guessed.event_at + to_hours($within_hours)
),
chains AS (
    SELECT changed.*, lines.event_at AS left_at, lines.record_id AS left_record, lines.operation AS leaving
    FROM changed
    JOIN lines ON lines.hsm = changed.hsm AND lines.operation IN ('key_wrap', 'clone_out', 'clone_policy_set')
        AND lines.event_at BETWEEN changed_at AND changed_at + to_hours($within_hours)
)
SELECT
    concat('takeover by ', account, ' on ', hsm)  AS subject,
    entered_at                                    AS first_seen,
    max(left_at)                                  AS last_seen,
    hsm                                           AS device,
    account,
    list_sort(list(DISTINCT source))                                                        AS sources,
    coalesce(list_sort(list(DISTINCT what) FILTER (what IS NOT NULL)), [])                  AS changed,
    list_sort(list(DISTINCT leaving))                                                       AS leaving,
    list_sort(list_distinct(flatten(list([entered_record, changed_record, left_record]))))  AS evidence
FROM chains
GROUP BY hsm, account, entered_at, entered_record
ORDER BY first_seen, subject

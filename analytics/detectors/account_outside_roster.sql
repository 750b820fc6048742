/*
id         = "AUTH-04"
title      = "Login of an account outside the roster"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "180d"
watches    = "family IN ('lunash', 'sshd', 'system') AND outcome = 'ok' AND (operation = 'login' AND role = '' AND command IS NULL OR command IS NOT NULL AND account = 'tenantadmin' AND command_class <> 'read' OR operation = 'user_password_set')"
in_change_window = "lower"
on_new_device    = "lower"
needs = { accounts = "logins of accounts that nobody declared" }
finds = """
An account has logged in to the appliance that the roster does not name for it, or not any more, or one of those that
every appliance is delivered with. The account of the first set-up that works on without a password of its own is one
too. An account that comes back after months is low: somebody may have forgotten to take it away."""
blind_spots = """
Without a roster only delivered accounts are judged. A person who uses a declared account of somebody else looks like
its owner. An account that was away for more than half a year, or whose logs are not here, does not count as dormant."""
runbook = """
1. `why` says what is wrong with `account`; `sources` where it came from. Ask whoever answers for the device.
2. unknown: who made it? Look for AUTH-08 on `device` before `first_seen`. Nobody knows it: disable it from another account.
3. delivered with the appliance: a break-glass use has a ticket; record the change, change the password, name a person.
4. no password of its own: set it now (`my password set`), and look at all that was done since `first_seen`.
5. Expected from now on? Declare the account with an owner ([[account]])."""
recommendations = ["2.1", "2.3", "3.1"]
frameworks = ["PCI DSS 4.0.1 8.2.6", "CA/B NSR 2j", "NIST SP 800-53 AU-6", "CIS Controls v8 5.3"]
attack = { version = "19", techniques = ["T1078.001", "T1078.003"] }

[parameters]
delivered    = { default = ["admin", "operator", "tenantadmin"], why = "Accounts that every appliance is delivered with; one that the roster names is not judged as such." }
others       = { default = ["monitor", "recover"], why = "Delivered accounts that have detectors of their own." }
dormant_days = { default = 90, why = "An account that comes back after so many days was dormant." }
*/
WITH logins AS (
    SELECT record_id, event_at, account, coalesce(source, (details->>'tty'), '') AS source,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND operation = 'login' AND outcome = 'ok' AND role = '' AND command IS NULL
      AND family IN ('lunash', 'sshd', 'system') AND account IS NOT NULL AND NOT list_contains($others, account)
),
before AS (
    SELECT *, lag(event_at) OVER (PARTITION BY hsm, account ORDER BY event_at, record_id) AS last_login
    FROM logins
),
entries AS (
    SELECT hsm, account, max(coalesce(until, TIMESTAMP '9999-12-31')) AS until
    FROM (SELECT DISTINCT hsm, account FROM logins)
    JOIN accounts ON accounts.name = account AND (len(accounts.devices) = 0 OR list_contains(accounts.devices, hsm))
    GROUP BY ALL
),
judged AS (
    SELECT before.*,
        CASE WHEN entries.until > event_at THEN
                 if(event_at - last_login BETWEEN to_days($dormant_days) AND $looks_back, 'dormant until now', NULL)
             WHEN list_contains($delivered, before.account) THEN 'delivered with the appliance'
             WHEN entries.until IS NOT NULL THEN 'no longer declared'
             WHEN EXISTS (FROM accounts WHERE len(accounts.devices) = 0 OR list_contains(accounts.devices, before.hsm)) THEN 'unknown'
             WHEN event_at - last_login BETWEEN to_days($dormant_days) AND $looks_back THEN 'dormant until now'
        END AS why
    FROM before
    LEFT JOIN entries ON entries.hsm = before.hsm AND entries.account = before.account
),
passwords AS (
    SELECT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, event_at
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND operation = 'user_password_set' AND outcome = 'ok'
      AND if(operation = 'user_password_set',  -- once more: without it the rest would be asked of every record, and first
             (account = 'tenantadmin' OR setting = 'user tenantadmin password')
                 AND coalesce(regexp_extract(setting, '^user (\S+) password$', 1) IN ('', account), true),
             false)
),
work AS (  -- of the account of the first set-up: it must change its password before anything else
    SELECT record_id, event_at, account, coalesce(source, '') AS source,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND family = 'lunash' AND command IS NOT NULL AND outcome = 'ok'
      AND account = 'tenantadmin' AND operation <> 'user_password_set' AND command_class NOT IN ('read', 'session')
),
members AS (
    SELECT record_id, event_at, hsm, account, source, form, why FROM judged WHERE why IS NOT NULL
    UNION ALL
    SELECT record_id, event_at, hsm, account, source, form, 'no password of its own'
    FROM work
    WHERE NOT EXISTS (FROM passwords WHERE passwords.hsm = work.hsm AND passwords.event_at BETWEEN work.event_at - $looks_back AND work.event_at)
      AND NOT EXISTS (  -- it is the first day of the account: what happened long ago is not in these logs
          FROM logins WHERE logins.hsm = work.hsm AND logins.account = work.account
            AND logins.event_at BETWEEN work.event_at - $looks_back AND work.event_at - INTERVAL 1 DAY)
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, account, why ORDER BY event_at) > INTERVAL 8 HOUR, true) AS begins
    FROM members
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, account, why ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, account, why, run, form, count(*) AS logins, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT source) FILTER (source <> '') AS sources, list(record_id) AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    concat(if(why = 'no password of its own', 'first work of ', ''), account, ' on ', hsm)  AS subject,
    min(first_seen)                                                                         AS first_seen,
    max(last_seen)                                                                          AS last_seen,
    if(why = 'dormant until now', 'low', 'high')                                            AS severity,
    hsm                                                                                     AS device,
    account,
    why,
    max(logins)                                       AS logins,
    list_sort(list_distinct(flatten(list(sources))))  AS sources,
    list_sort(flatten(list(records)))                 AS evidence
FROM witnesses
GROUP BY hsm, account, why, run
ORDER BY first_seen, subject

/*
id         = "AUTH-07"
title      = "Administrator from an unusual place or at an unusual hour"
kind       = "episodes"
severity   = "high"
every      = "5m"
looks_back = "90d"
watches    = "family IN ('lunash', 'sshd') AND outcome = 'ok' AND (operation = 'login' AND role = '' AND command IS NULL OR command IS NOT NULL AND command_class NOT IN ('read', 'session'))"
in_change_window = "lower"
on_new_device    = "lower"
needs = { admin_ranges = "sessions from networks that nobody declared", working_hours = "sessions outside working hours" }
finds = """
Somebody opened a session on the appliance from an address in no declared network of administrators (high), from one that
was not seen on this device for three months (medium), or outside the site's working hours (medium). Nights in which the
session only backs up or fetches logs are routine."""
blind_spots = """
Behind an address translator or a shared jump host all people have one address. For its first week a device's addresses
are learned. Who may work at night without an alarm is whoever the roster gives no administrator's role."""
runbook = """
1. `why` says what is unusual about `account` and `source`; ask the person by another way than mail.
2. undeclared network: end the session, change the password, find out how it got to the appliance at all.
3. new address: a new jump host, or a lease that changed? Declare the range ([[range]] with use "admin"), not the address.
4. unusual hour: on call? Note the ticket. Else look at all commands of `account` on `device` since `first_seen`."""
recommendations = ["1.2", "1.5", "3.3"]
frameworks = ["PCI DSS 4.0.1 10.2.1.2", "CA/B NSR 2o", "SOC 2 CC6.1"]
attack = { version = "19", techniques = ["T1078", "T1021.004"] }

[parameters]
others         = { default = ["monitor"], why = "Accounts that AUTH-06 watches." }
learn_days     = { default = 7, why = "So long a device's addresses are learned before a new one is told." }
administrators = { default = ["admin", "operator", "so", "po"], why = "Roles whose holders keep working hours; an account that is not declared is taken for one." }
acting         = { default = ["privileged", "config", "logging", "destructive", "key"], why = "Classes of commands that are no night's routine." }
routine        = { default = ["backup", "routine"], why = "Classes of commands that excuse a session at night when nothing else was done." }
*/
WITH logins AS (
    SELECT record_id, event_at, account, source,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern)                       AS form
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND operation = 'login' AND outcome = 'ok' AND role = '' AND command IS NULL AND family IN ('lunash', 'sshd')
      AND account IS NOT NULL AND NOT list_contains($others, account) AND source NOT IN ('', 'Console')
),
places AS (
    SELECT source, EXISTS (FROM ranges WHERE list_contains(use, 'admin') AND address_key(source) BETWEEN first AND last) AS declared
    FROM (SELECT DISTINCT source FROM logins)
),
people AS (
    SELECT account, hsm,
        coalesce(bool_or(len(accounts.roles) = 0 OR list_has_any(accounts.roles, $administrators)), true) AS administrator
    FROM (SELECT DISTINCT account, hsm FROM logins)
    LEFT JOIN accounts ON accounts.name = account AND (len(accounts.devices) = 0 OR list_contains(accounts.devices, hsm))
    GROUP BY ALL
),
clocks_there AS (  -- the time on the wall beside the device
    SELECT logins.record_id, timezone(devices.time_zone, timezone('UTC', event_at)) AS moment, working_days, working_from, working_until, holidays
    FROM logins
    JOIN devices ON devices.name = hsm AND len(devices.working_days) > 0
),
nights AS (
    SELECT record_id
    FROM clocks_there
    WHERE NOT list_contains(working_days, isodow(moment)) OR list_contains(holidays, CAST(moment AS DATE))
       OR CAST(moment AS TIME) < working_from OR CAST(moment AS TIME) >= working_until
),
work AS (  -- what was done in the hour after the login
    SELECT logins.record_id,
        bool_or(list_contains($acting, events.command_class))   AS acted,
        bool_or(list_contains($routine, events.command_class))  AS routine
    FROM logins
    JOIN nights USING (record_id)
    JOIN events ON events.account = logins.account AND events.source = logins.source
        AND coalesce(nullif(events.device, ''), nullif(events.host, ''), events.peer) = logins.hsm
        AND events.event_at BETWEEN logins.event_at AND logins.event_at + INTERVAL 1 HOUR
    WHERE events.event_at BETWEEN $window_start AND $window_end AND events.family = 'lunash' AND events.outcome = 'ok'
      AND (list_contains($acting, events.command_class) OR list_contains($routine, events.command_class))
    GROUP BY ALL
),
habits AS (
    SELECT *,
        count(*) OVER (PARTITION BY hsm, source ORDER BY event_at RANGE BETWEEN $looks_back PRECEDING AND INTERVAL 1 HOUR PRECEDING) AS before_from_here,
        count(*) OVER (PARTITION BY hsm ORDER BY event_at RANGE BETWEEN $looks_back PRECEDING AND to_days($learn_days) PRECEDING) AS learned
    FROM logins
),
judged AS (
    SELECT habits.*,
        CASE WHEN NOT declared AND EXISTS (FROM ranges WHERE list_contains(use, 'admin')) THEN 'undeclared network'
             WHEN before_from_here = 0 AND learned > 0 THEN 'new address'
             WHEN nights.record_id IS NOT NULL AND administrator AND NOT (coalesce(routine, false) AND NOT acted) THEN 'unusual hour'
        END AS why
    FROM habits
    JOIN places USING (source)
    JOIN people ON people.account = habits.account AND people.hsm = habits.hsm
    LEFT JOIN nights ON nights.record_id = habits.record_id
    LEFT JOIN work ON work.record_id = habits.record_id
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, account, source, why ORDER BY event_at) > INTERVAL 1 HOUR, true) AS begins
    FROM judged
    WHERE why IS NOT NULL
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, account, source, why ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, account, source, why, run, form, count(*) AS logins, min(event_at) AS first_seen, max(event_at) AS last_seen, list(record_id) AS records
    FROM runs
    GROUP BY ALL
)
SELECT
    concat(why, ' of ', account, ' from ', source, ' on ', hsm)  AS subject,
    min(first_seen)                                              AS first_seen,
    max(last_seen)                                               AS last_seen,
    if(why = 'undeclared network', 'high', 'medium')             AS severity,
    hsm                                                          AS device,
    account,
    source,
    why,
    max(logins)                        AS logins,
    list_sort(flatten(list(records)))  AS evidence
FROM witnesses
GROUP BY hsm, account, source, why, run
ORDER BY first_seen, subject

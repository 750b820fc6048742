/*
id         = "LOGS-04"
title      = "Audit logging narrowed, off, or misused"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "30m"
watches    = "operation IN ('audit_config', 'audit_init', 'audit_secret_export') OR starts_with(command, 'audit ') OR role = 'au' AND operation = 'login'"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
The HSM's own audit log was told to log less than it must (critical), or less than was approved; its secret was exported or
the audit role made anew; somebody who is no auditor typed an audit command; or an Auditor's password was wrong. And a
change of the audit configuration that no command in the Luna shell explains: it came from a client, and the record does
not say what it was."""
blind_spots = """
The audit record of a change does not hold the new mask: only a command in the Luna shell does. A mask that was narrow
before this collector came is not seen here; `hsmtrail baseline show` says 'not observed' of it. Where no account is
configured, only the account named `audit` is an auditor."""
runbook = """
1. `critical`: what `missing` names is not logged any more. Put the mask back (`audit config -parameter event`), now.
2. `what` and `commands` say what was done, `accounts` and `sources` by whom. Is there a ticket?
3. The secret was exported? Whoever has the file and an HSM of the domain can verify these logs: was that the plan?
4. Look at what else `accounts` did on `device` in the day before and after: CONF-03, LOGS-05 and the PRIV findings."""
recommendations = ["3.3", "4.2"]
frameworks = ["PCI DSS 4.0.1 10.2.1.3", "PCI DSS 4.0.1 10.2.1.6", "NIST SP 800-53 AU-12(3)", "NIST SP 800-53 AU-9(4)", "NIS2 2024/2690 3.2 (k)"]
attack = { version = "19", techniques = ["T1685.004"] }

[parameters]
required = { default = ["f", "s", "a", "m", "k", "g"], why = "Failures and successes of access, management, key management and log management: the least that proves anything." }
auditors = { default = ["audit"], why = "Accounts that may use audit commands where no account is configured." }
failures = { default = 1, why = "Wrong Auditor passwords within ten minutes: only people have that role, and three lock it." }
*/
WITH words AS (  -- what the Luna shell spells out, lunacm writes as one letter
    SELECT unnest(['failure', 'success', 'access', 'manage', 'keymanage', 'usage', 'keyusage', 'first', 'external', 'logmanage', 'all', 'none']) AS word,
        unnest(['f', 's', 'a', 'm', 'k', 'u', 'u', 'r', 'x', 'g', 'l', 'n'])                                                                     AS letter
),
acts AS (
    SELECT record_id, event_at, operation, outcome, family, command, setting, value, account, source, role, strike,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern, operation)            AS form,
        coalesce(starts_with(command, 'audit '), false) AND account IS NOT NULL
            AND NOT list_contains($auditors, lower(account))
            AND NOT EXISTS (
                FROM accounts
                WHERE name = account AND list_has_any(roles, ['audit', 'au']) AND (until IS NULL OR event_at < until)
                  AND (len(devices) = 0 OR list_contains(devices, coalesce(nullif(device, ''), nullif(host, ''), peer)))
            )                                                 AS stranger
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND (operation IN ('audit_config', 'audit_init', 'audit_secret_export') OR starts_with(command, 'audit ')
           OR role = 'au' AND operation = 'login')
),
tokens AS (
    SELECT record_id, hsm, event_at, unnest(if(len(pieces) = 1 AND NOT list_contains((SELECT list(word) FROM words), pieces[1])
            AND regexp_full_match(pieces[1], '[fsamkurxgln]+'), string_split(pieces[1], ''), pieces)) AS token
    FROM (
        SELECT record_id, hsm, event_at, list_filter(regexp_split_to_array(lower(value), '[^a-z]+'), lambda one: one <> '') AS pieces
        FROM acts WHERE setting = 'audit mask' AND outcome = 'ok'
    )
),
masks AS (
    SELECT record_id, any_value(hsm) AS hsm, any_value(event_at) AS event_at, list(DISTINCT coalesce(letter, token)) AS letters
    FROM tokens LEFT JOIN words ON word = token
    GROUP BY record_id
),
before AS (  -- the approved mask, as letters
    SELECT device, approved_at, list(DISTINCT coalesce(letter, token)) AS letters
    FROM (
        SELECT device, approved_at, unnest(list_filter(regexp_split_to_array(lower(value), '[^a-z]+'), lambda one: one <> '')) AS token
        FROM approved WHERE setting = 'audit mask'
    )
    LEFT JOIN words ON word = token
    GROUP BY ALL
),
narrowed AS (
    SELECT masks.record_id,
        if(list_contains(masks.letters, 'l'), [], list_filter($required, lambda one: NOT list_contains(masks.letters, one)))  AS missing,
        if(list_contains(masks.letters, 'l') OR before.letters IS NULL, [],
           list_filter(before.letters, lambda one: one <> 'l' AND NOT list_contains(masks.letters, one)))                     AS lost
    FROM masks
    LEFT JOIN before ON before.device = masks.hsm AND before.approved_at <= masks.event_at
),
judged AS (
    SELECT acts.*, coalesce(missing, []) AS missing, coalesce(lost, []) AS lost,
        CASE
            WHEN len(missing) > 0                                                     THEN 'narrowed'
            WHEN len(lost) > 0                                                        THEN 'less than approved'
            WHEN stranger                                                             THEN 'audit command by no auditor'
            WHEN operation = 'audit_init' AND outcome <> 'failed'                     THEN 'audit role made anew'
            WHEN operation = 'audit_secret_export' AND outcome <> 'failed'            THEN 'secret exported'
            WHEN operation = 'login' AND role = 'au' AND outcome = 'failed' AND coalesce(strike, true)
                AND count_if(operation = 'login' AND role = 'au' AND outcome = 'failed' AND coalesce(strike, true))
                    OVER (PARTITION BY hsm, form ORDER BY event_at RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND INTERVAL 10 MINUTE FOLLOWING) >= $failures
                                                                                      THEN 'auditor login failed'
            WHEN operation = 'audit_config' AND family = 'hsm_audit' AND outcome <> 'failed'
                AND count_if(operation = 'audit_config' AND family = 'lunash' AND outcome <> 'failed')
                    OVER (PARTITION BY hsm ORDER BY event_at RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND INTERVAL 10 MINUTE FOLLOWING) = 0
                                                                                      THEN 'changed by no command'
        END AS what
    FROM acts
    LEFT JOIN narrowed USING (record_id)
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM judged
    WHERE what IS NOT NULL
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm ORDER BY event_at) AS run
    FROM steps
)
SELECT
    'audit logging on ' || hsm                                                                                AS subject,
    min(event_at)                                                                                             AS first_seen,
    max(event_at)                                                                                             AS last_seen,
    if(bool_or(what = 'narrowed'), 'critical', 'high')                                                        AS severity,
    hsm                                                                                                       AS device,
    list_sort(list(DISTINCT what))                                                                            AS what,
    list_sort(list_distinct(flatten(list(missing))))                                                          AS missing,
    list_sort(list_distinct(flatten(list(lost))))                                                             AS lost,
    list_sort(list(DISTINCT value) FILTER (setting = 'audit mask'))                                           AS masks,
    list_sort(list(DISTINCT command) FILTER (command IS NOT NULL))                                            AS commands,
    list_sort(list(DISTINCT coalesce(account, nullif(role, ''))) FILTER (coalesce(account, nullif(role, '')) IS NOT NULL))  AS accounts,
    list_sort(list(DISTINCT source) FILTER (source IS NOT NULL))                                              AS sources,
    list_sort(list(record_id))                                                                                AS evidence
FROM runs
GROUP BY hsm, run
ORDER BY first_seen, subject

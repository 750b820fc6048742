/*
id         = "AUTH-03"
title      = "Password guessing on the appliance"
kind       = "episodes"
severity   = "high"
every      = "live"
looks_back = "2h"
watches    = "operation = 'login' AND role = '' AND family <> 'hsm_audit' AND command IS NULL"
in_change_window = "lower"
finds = """
Failed logins to the appliance in a burst: six from one source within five minutes, three accounts from one source
within ten, or twenty in an hour from wherever. A success of the same account or source within half an hour after it is
critical: somebody may be in."""
blind_spots = """
The appliance has no lockout for its accounts and drops the session after six tries: a patient guesser with fewer tries
than the parameters is not seen. Behind an address translator all sources are one."""
runbook = """
1. `succeeded` is not empty? Treat the account as taken: end its sessions, disable it from another one, look at its commands.
2. Is `sources` a scanner, a probe or an automation with an old password? Tell its owner; allow it with an end date.
3. Otherwise block `sources` in front of the appliance: SSH belongs to the jump hosts alone.
4. Compare `accounts` with the roster: guesses at real names mean that somebody knows them."""
recommendations = ["2.2", "2.3", "3.3"]
frameworks = ["PCI DSS 4.0.1 10.2.1.4", "CA/B NSR 3c", "SOC 2 CC7.2", "ISO 27001 A.8.16"]
attack = { version = "19", techniques = ["T1110", "T1021.004"] }

[parameters]
burst         = { default = 6, why = "Failures from one source within five minutes; SSH drops a session after six." }
accounts      = { default = 3, why = "Accounts tried from one source within ten minutes." }
total         = { default = 20, why = "Failures within an hour from sources that give no burst of their own." }
after_minutes = { default = 30, why = "So long after the burst a success of the same account or source counts." }
*/
WITH logins AS (
    SELECT record_id, event_at, outcome,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        coalesce(source, '')                                  AS source,
        coalesce(account, '')                                 AS account,
        concat_ws(' ', family, pattern)                       AS form  -- sshd and PAM tell the same try
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end
      AND operation = 'login' AND role = '' AND family <> 'hsm_audit' AND command IS NULL
      AND coalesce((details->>'target'), '') <> 'backup token'
),
failed AS (
    SELECT *,
        source <> '' AND (
            count(*) OVER (PARTITION BY hsm, source, form ORDER BY event_at RANGE BETWEEN INTERVAL 5 MINUTE PRECEDING AND CURRENT ROW) >= $burst
            OR count(DISTINCT nullif(account, '')) OVER (PARTITION BY hsm, source ORDER BY event_at RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW) >= $accounts
        ) AS hot
    FROM logins
    WHERE outcome = 'failed'
),
of_bursts AS (
    SELECT *,
        bool_or(hot) OVER (PARTITION BY hsm, source ORDER BY event_at RANGE BETWEEN CURRENT ROW AND INTERVAL 10 MINUTE FOLLOWING) AS burst
    FROM failed
),
scattered AS (
    SELECT * EXCLUDE (hot),
        count(*) OVER (PARTITION BY hsm, form ORDER BY event_at RANGE BETWEEN INTERVAL 1 HOUR PRECEDING AND CURRENT ROW) >= $total AS hot
    FROM of_bursts
    WHERE NOT burst
),
members AS (
    SELECT record_id, event_at, hsm, source, account, form, source AS origin, INTERVAL 10 MINUTE AS apart
    FROM of_bursts
    WHERE burst
    UNION ALL
    SELECT record_id, event_at, hsm, source, account, form, 'many sources' AS origin, INTERVAL 1 HOUR AS apart
    FROM scattered
    QUALIFY bool_or(hot) OVER (PARTITION BY hsm ORDER BY event_at RANGE BETWEEN CURRENT ROW AND INTERVAL 1 HOUR FOLLOWING)
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, origin ORDER BY event_at) > apart, true) AS begins
    FROM members
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, origin ORDER BY event_at) AS run
    FROM steps
),
witnesses AS (
    SELECT hsm, origin, run, form, count(*) AS tries, min(event_at) AS first_seen, max(event_at) AS last_seen,
        list(DISTINCT source) AS sources, list(DISTINCT account) AS accounts, list(record_id) AS records
    FROM runs
    GROUP BY ALL
),
bursts AS (
    SELECT hsm, origin, run, max(tries) AS failures, min(first_seen) AS first_seen, max(last_seen) AS last_seen,
        list_filter(list_sort(list_distinct(flatten(list(sources)))), lambda one: one <> '')   AS sources,
        list_filter(list_sort(list_distinct(flatten(list(accounts)))), lambda one: one <> '')  AS accounts,
        flatten(list(records)) AS records
    FROM witnesses
    GROUP BY ALL
),
successes AS (  -- the serial console is no place to guess from
    SELECT bursts.hsm, bursts.origin, bursts.run,
        list(DISTINCT concat_ws(' from ', nullif(logins.account, ''), logins.source)) AS succeeded,
        list(logins.record_id) AS records
    FROM bursts
    JOIN logins ON logins.hsm = bursts.hsm AND logins.outcome = 'ok'
        AND logins.source NOT IN ('', 'Console')
        AND logins.event_at BETWEEN bursts.first_seen AND bursts.last_seen + to_minutes($after_minutes)
        AND (list_contains(bursts.sources, logins.source) OR list_contains(bursts.accounts, logins.account))
    GROUP BY ALL
)
SELECT
    origin || ' on ' || hsm                                                   AS subject,
    first_seen,
    last_seen,
    if(succeeded IS NULL, 'high', 'critical')                                 AS severity,
    hsm                                                                       AS device,
    failures,
    list_sort(coalesce(succeeded, []))                                        AS succeeded,
    sources,
    accounts,
    list_sort(list_distinct(list_concat(bursts.records, coalesce(successes.records, []))))  AS evidence
FROM bursts
LEFT JOIN successes USING (hsm, origin, run)
ORDER BY first_seen, subject

/*
id         = "AUTH-08"
title      = "Account or role of the appliance changed"
kind       = "episodes"
severity   = "medium"
every      = "live"
looks_back = "30m"
watches    = "operation IN ('user_add', 'user_delete', 'user_enable', 'user_disable', 'user_role_set', 'user_password_set')"
in_change_window = "lower"
on_new_device    = "lower"
finds = """
An account of the appliance was added, deleted, switched on or off, given or robbed of a role, or given a password by somebody
else. Where the account is, becomes or was an administrator or the auditor it is high."""
blind_spots = """
Whether a joiner or a leaver is behind it, no log tells: compare with the ticket. A leaver who was not switched off leaves
no line at all. Accounts that a RADIUS server knows are changed there; whether it is asked at all, and
keys to log in with, are CONF-04's."""
runbook = """
1. `acts` says what was done to `target`, `accounts` who did it. Match both with a ticket of a joiner, mover or leaver.
2. No ticket? Ask whoever is in `accounts`. Nobody did it: disable `target` and the account that did it, from a third one.
3. An administrator or auditor was made? See that nobody has both roles (AUTH-09), and that the roster names an owner.
4. Bring the roster ([[account]]) and the approved baseline up to date."""
recommendations = ["2.1", "2.3", "3.1"]
frameworks = ["PCI DSS 4.0.1 10.2.1.5", "NIST SP 800-53 AU-2", "CA/B NSR 2j", "CA/B NSR 2l", "ISO 27001 A.8.2", "NIS2 2024/2690 3.2 (b)"]
attack = { version = "19", techniques = ["T1136.001", "T1098"] }

[parameters]
powerful = { default = ["admin", "audit", "tenantadmin"], why = "Accounts and roles of the appliance whose change is high." }
roles    = { default = ["admin", "audit", "so", "au"], why = "Roles in the roster that make an account powerful." }
*/
WITH acts AS (
    SELECT record_id, event_at, operation, setting, value, family, source,
        coalesce(nullif(device, ''), nullif(host, ''), peer)  AS hsm,
        concat_ws(' ', family, pattern, operation)            AS form,
        if(family = 'lunash', account, NULL)                  AS who,
        CASE WHEN family <> 'lunash' THEN account
             WHEN starts_with(setting, 'user ') THEN regexp_extract(setting, '^user (\S+)', 1)
             WHEN starts_with(setting, 'role ') THEN setting
        END                                                            AS target
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND outcome <> 'failed'
      AND operation IN ('user_add', 'user_delete', 'user_enable', 'user_disable', 'user_role_set', 'user_password_set')
      AND coalesce(command <> 'my password set', true) AND coalesce(setting <> 'password expiry' AND NOT starts_with(setting, 'public key '), true)
),
own AS (  -- whoever changes his own password is told by PAM too: who did it says the shell
    SELECT coalesce(nullif(device, ''), nullif(host, ''), peer) AS hsm, account, event_at
    FROM events
    WHERE event_at BETWEEN $window_start AND $window_end AND command = 'my password set'
),
others AS (
    SELECT acts.*
    FROM acts
    WHERE NOT (operation = 'user_password_set' AND family <> 'lunash' AND EXISTS (
        FROM own WHERE own.hsm = acts.hsm AND own.account = acts.target
          AND own.event_at BETWEEN acts.event_at - INTERVAL 2 MINUTE AND acts.event_at + INTERVAL 2 MINUTE))
),
named AS (
    SELECT *,
        coalesce(list_contains($powerful, target), false)
            OR coalesce(len(list_filter($powerful, lambda one: ends_with(value, ' ' || one))) > 0, false)
            OR EXISTS (FROM accounts WHERE accounts.name = target AND list_has_any(accounts.roles, $roles)) AS powerful
    FROM others
    WHERE target IS NOT NULL AND target <> ''
),
steps AS (
    SELECT *, coalesce(event_at - lag(event_at) OVER (PARTITION BY hsm, target ORDER BY event_at) > INTERVAL 10 MINUTE, true) AS begins
    FROM named
),
runs AS (
    SELECT *, count_if(begins) OVER (PARTITION BY hsm, target ORDER BY event_at) AS run
    FROM steps
)
SELECT
    concat('account ', target, ' on ', hsm)  AS subject,
    min(event_at)                            AS first_seen,
    max(event_at)                            AS last_seen,
    if(bool_or(powerful), 'high', 'medium')  AS severity,
    hsm                                      AS device,
    target,
    list_sort(list(DISTINCT if(operation = 'user_role_set', concat_ws(' ', operation, value), operation)))  AS acts,
    coalesce(list_sort(list(DISTINCT who) FILTER (who IS NOT NULL)), [])                                    AS accounts,
    coalesce(list_sort(list(DISTINCT source) FILTER (source IS NOT NULL)), [])                              AS sources,
    list_sort(list(record_id))                                                                              AS evidence
FROM runs
GROUP BY hsm, target, run
ORDER BY first_seen, subject

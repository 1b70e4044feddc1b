"""The line's scripts in Redis' own language: each is one step that happens whole or not at all.

A job is a hash. Beside what it is, `score` is where it stands in line, `deadline` by when it is to begin, in Redis'
own milliseconds, `deliveries` how often it has, `begun` when it did last, `progress` what its worker has told, `over`
whether it is, and `error` what went wrong.
"""

from __future__ import annotations

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# KEYS job, line; ARGV name, rank, patience ms, keep ms, prefix of jobs, then fields and values.
# Whose proxy has died in between is forgotten by its job's time to live: those are taken out of the line here.
ENTER = (
    _NOW
    + """
for _, from in ipairs({'-inf', '1e13'}) do
    for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], from, '+inf', 'LIMIT', 0, 5)) do
        if redis.call('EXISTS', ARGV[5] .. old) == 0 then redis.call('ZREM', KEYS[2], old) end
    end
end
local score = string.format('%.0f', ARGV[2] * 1e13 + now)
redis.call('HSET', KEYS[1], 'score', score, 'deadline', string.format('%.0f', now + ARGV[3]), 'deliveries', 0,
    unpack(ARGV, 6))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], score, ARGV[1])
return redis.call('ZRANK', KEYS[2], ARGV[1]) + 1
"""
)

# KEYS job, line, claim; ARGV name, worker, lease ms, most deliveries.
BEGIN = (
    _NOW
    + """
local job = redis.call('HMGET', KEYS[1], 'deadline', 'deliveries', 'over', 'reply_to')
if not job[1] or job[3] then
    redis.call('ZREM', KEYS[2], ARGV[1])
    return {'nothing'}
end
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[2] then return {'held', redis.call('PTTL', KEYS[3])} end
if tonumber(job[2]) >= tonumber(ARGV[4]) then return {'poison'} end
if tonumber(job[2]) == 0 and now > tonumber(job[1]) then
    redis.call('ZREM', KEYS[2], ARGV[1])
    return {'late'}
end
local delivery = redis.call('HINCRBY', KEYS[1], 'deliveries', 1)
redis.call('HSET', KEYS[1], 'begun', string.format('%.0f', now))
redis.call('HDEL', KEYS[1], 'progress')
redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('PUBLISH', job[4], ARGV[1])
local said = redis.call('HMGET', KEYS[1], 'route', 'query', 'typed', 'content_type', 'body')
return {'begun', delivery, said[1], said[2], said[3], said[4], said[5]}
"""
)

# KEYS job, claim, watched; ARGV worker, lease ms. A right that has run out is taken again unless another has it.
RENEW = """
local job = redis.call('HMGET', KEYS[1], 'deadline', 'over')
if not job[1] or job[2] then return 'lost' end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 'lost' end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
if redis.call('EXISTS', KEYS[3]) == 1 then return 'watched' end
return 'kept'
"""

# KEYS job, preview; ARGV progress, picture, milliseconds for which the picture is good.
REPORT = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'progress', ARGV[1])
if ARGV[2] ~= '' then redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3]) end
return 1
"""

# KEYS job, line, claim; ARGV name, worker.
GIVE_BACK = """
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[3])
local job = redis.call('HMGET', KEYS[1], 'score', 'over', 'reply_to')
if not job[1] or job[2] then return 0 end
redis.call('HINCRBY', KEYS[1], 'deliveries', -1)
redis.call('HDEL', KEYS[1], 'begun', 'progress')
redis.call('ZADD', KEYS[2], job[1], ARGV[1])
redis.call('PUBLISH', job[3], ARGV[1])
return 1
"""

# KEYS job, line, claim, answer, preview, job_seconds; ARGV name, error, answer, keep ms, seconds or -1.
FINISH = """
redis.call('DEL', KEYS[3], KEYS[5])
redis.call('ZREM', KEYS[2], ARGV[1])
local job = redis.call('HMGET', KEYS[1], 'reply_to', 'over')
if not job[1] or job[2] then return 0 end
redis.call('HSET', KEYS[1], 'over', 1, 'error', ARGV[2])
redis.call('HDEL', KEYS[1], 'body')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if ARGV[3] ~= '' then redis.call('SET', KEYS[4], ARGV[3], 'PX', ARGV[4]) end
if tonumber(ARGV[5]) >= 0 then
    local before = tonumber(redis.call('GET', KEYS[6]) or ARGV[5]) or tonumber(ARGV[5])
    redis.call('SET', KEYS[6], tostring(before + 0.2 * (ARGV[5] - before)))
end
redis.call('PUBLISH', job[1], ARGV[1])
return 1
"""

# KEYS line, then the jobs; ARGV their names.
LOOK = (
    _NOW
    + """
local seen = {}
for number, name in ipairs(ARGV) do
    local job = redis.call('HMGET', KEYS[number + 1], 'deadline', 'over', 'deliveries', 'begun', 'progress')
    if job[1] then
        local rank = redis.call('ZRANK', KEYS[1], name)
        local since = 0
        if job[4] then since = now - (tonumber(job[4]) or now) end
        local begun = job[4] and tonumber(job[3]) or 0
        seen[number] = {job[2] and 1 or 0, rank and rank + 1 or 0, begun, since, job[5] or ''}
    else
        seen[number] = {}
    end
end
return seen
"""
)

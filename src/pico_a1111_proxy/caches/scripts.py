"""Scripts: what Redis does with a shared cache, each in one step, so that any number of proxies may work at once.

There are three keys: `state` (the era, the bytes of all entries, the token of the last clear), `entries` (a hash: name
to entry) and `used` (names, by when they were used last). All answers are in one hash, so that to forget them is to
unlink one key, and all of it is gone by itself some time after the last answer was put in.

The era is when all was forgotten the last time, in microseconds of Redis's clock, and only grows. Each call brings the
era that its proxy knows; where Redis has lost its own, as in a restart without a file, the greatest one counts again.

    ARGV 1   the era that is known
         2   a token, to forget everything, once for each token; or nothing
         3   how long an answer is good, in microseconds
         4   a number of names, which follow: what is under them is to go
         …   what the script itself needs

Each returns the era, the microseconds since then, how many entries there are, their bytes, Redis's time, and its own.
"""

from __future__ import annotations

_COMMON = """
local ENTRY_BYTES = 250      -- of what Redis keeps around an entry and its two names, measured and rounded up
local MOST_STEPS = 500       -- entries that one call removes: nobody else is served meanwhile
local SPARE = 60000          -- milliseconds that an answer may be there after it has become too old

local state, entries, used = KEYS[1], KEYS[2], KEYS[3]
local known, token, good = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local first = 5 + tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local said = redis.call('HMGET', state, 'era', 'bytes', 'token')
local era, bytes = tonumber(said[1] or 0), tonumber(said[2] or 0)

-- jemalloc has four sizes between two powers of two.
local function cost(name, length)
    local needed, step = length + 16, 16
    while step * 8 < needed do step = step * 2 end
    return math.ceil(needed / step) * step + ENTRY_BYTES + 2 * #name
end

local function save()
    redis.call('HSET', state, 'era', era, 'bytes', bytes)
    redis.call('PEXPIRE', state, 2 * (math.ceil(good / 1000) + SPARE))
end

local function drop(name)
    local length = redis.call('HSTRLEN', entries, name)
    if redis.call('HDEL', entries, name) == 1 then bytes = bytes - cost(name, length) end
    redis.call('ZREM', used, name)
end

-- Its clock may be set back: then the order counts.
local function latest()
    local last = redis.call('ZREVRANGE', used, 0, 0, 'WITHSCORES')
    return math.max(now, tonumber(last[2] or 0) + 1)
end

local function told(own)
    return {era, now - era, redis.call('HLEN', entries), bytes, now, own}
end

local forgets = token ~= '' and token ~= said[3]
local count = redis.call('HLEN', entries)
-- Where the three do not agree, Redis has thrown one of them away, as it may be told to do when it is full.
local agree = count == redis.call('ZCARD', used) and (count == 0) == (bytes == 0)
if forgets or known > era or not agree then
    -- This comes first: after something was removed, a Redis that is full lets a script go on.
    redis.call('UNLINK', entries, used)
    if forgets then
        era = math.max(era + 1, known + 1, now)
        redis.call('HSET', state, 'token', token)
    end
    era, bytes = math.max(era, known), 0
    save()
end
if first > 5 then
    for at = 5, first - 1 do drop(ARGV[at]) end
    save()
end
"""

LOOK = _COMMON + "return told(false)"

# Its own argument is the name; it returns the entry.
FIND = (
    _COMMON
    + """
local entry = redis.call('HGET', entries, ARGV[first])
if entry then redis.pcall('ZADD', used, 'XX', latest(), ARGV[first]) end
return told(entry)
"""
)

# The name, and how the entry began that is to go: another proxy may have put a better one there meanwhile.
DROP = (
    _COMMON
    + """
local entry = redis.call('HGET', entries, ARGV[first])
if entry and string.sub(entry, 1, #ARGV[first + 1]) == ARGV[first + 1] then
    drop(ARGV[first])
    save()
end
return told(false)
"""
)

# The name, the era in which this began, until when it may be done, the most bytes of all entries, the length of the
# entry, and the entry; without that, only room is made for it. It returns what has come of it: "kept"; "room", when
# there is room; "more", when there is more to remove; "large", "full", "other" era, "late".
PUT = (
    _COMMON
    + """
local name, length, entry = ARGV[first], tonumber(ARGV[first + 4]), ARGV[first + 5]
if now > tonumber(ARGV[first + 2]) then return told('late') end
if era ~= tonumber(ARGV[first + 1]) then return told('other') end

local size, outcome = cost(name, length), 'kept'
local goal = tonumber(ARGV[first + 3]) - size
local probe = redis.pcall('HSET', state, 'bytes', bytes)
drop(name)
if type(probe) == 'table' then
    if not string.find(probe.err, 'OOM', 1, true) then return probe end
    -- Others need this Redis, too: leave them some room.
    outcome, goal = 'full', math.max(0, bytes - 2 * size)
elseif goal < 0 then
    outcome, goal = 'large', bytes
end

for _, old in ipairs(redis.call('ZRANGEBYSCORE', used, '-inf', now - good, 'LIMIT', 0, MOST_STEPS)) do drop(old) end
for _ = 1, MOST_STEPS do
    if bytes <= goal then break end
    drop(redis.call('ZRANGE', used, 0, 0)[1])
end

if outcome == 'kept' and bytes > goal then
    outcome = 'more'
elseif outcome == 'kept' and #entry < length then
    outcome = 'room'
elseif outcome == 'kept' then
    redis.call('HSET', entries, name, entry)
    redis.call('ZADD', used, latest(), name)
    bytes = bytes + size
    redis.call('PEXPIRE', entries, math.ceil(good / 1000) + SPARE)
    redis.call('PEXPIRE', used, math.ceil(good / 1000) + SPARE)
end
save()
return told(outcome)
"""
)

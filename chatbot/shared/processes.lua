-- What stands before the other scripts. KEYS[1] is what all names begin with.
local prefix = KEYS[1]

-- Milliseconds, by Redis' clock.
local function clock()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Where what a process says of itself is kept, by the kind of fact.
local KINDS = {'clients', 'all', 'address', 'visitor', 'name'}
local function facts_of(process, kind)
    return prefix .. 'process:' .. process .. ':' .. kind
end

-- The names of the processes that live, and whether these are all.
-- The kernel closes the socket of one that is killed, so that nobody hears its bell any more. One that hears it and is
-- silent may be held up, or Redis was; after 20 s it is taken for dead. One that hears the bell of all and is not known
-- will say what it is when Redis, which was emptied, answers again. After Redis was held up all have to connect again:
-- for 3 s after one has, another that hears no bell may yet do so.
local function living()
    local now = clock()
    local unknown = redis.call('PUBSUB', 'NUMSUB', prefix .. 'alive')[2]
    local all = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')) >= 3
    local back = redis.call('EXISTS', prefix .. 'back') == 1
    local processes = {}
    local beats = redis.call('ZRANGE', prefix .. 'beats', 0, -1, 'WITHSCORES')
    for i = 1, #beats, 2 do
        local process, age = beats[i], now - beats[i + 1]
        if redis.call('PUBSUB', 'NUMSUB', prefix .. 'alive:' .. process)[2] > 0 then
            unknown = unknown - 1
            if age <= 6000 then
                processes[#processes + 1] = process
            elseif age <= 20000 then
                all = false
            end
        elseif age > 60000 then
            redis.call('ZREM', prefix .. 'beats', process)
        elseif back then
            all = false
        end
    end
    return processes, all and unknown <= 0
end


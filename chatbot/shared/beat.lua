-- A process says that it lives, and what has changed of what it says of itself.
-- Arguments: its name; 'known' if it has said the rest before, 'back' if it could not reach Redis for a while, or 'new';
-- then names, which begin with their kind, and values, '' for what is over.
-- Answer: 1; or 0, and nothing is noted, if the rest is not known here any more.
if ARGV[2] == 'known' and redis.call('EXISTS', facts_of(ARGV[1], 'clients')) == 0 then
    return 0
end
if ARGV[2] == 'back' then
    redis.call('SET', prefix .. 'back', 1, 'PX', 3000)
end
for i = 3, #ARGV, 2 do
    local kind, key = string.match(ARGV[i], '^([^:]*):(.*)$')
    if ARGV[i + 1] == '' then
        redis.call('HDEL', facts_of(ARGV[1], kind), key)
    else
        redis.call('HSET', facts_of(ARGV[1], kind), key, ARGV[i + 1])
    end
end
redis.call('ZADD', prefix .. 'beats', clock(), ARGV[1])
for _, kind in ipairs(KINDS) do
    redis.call('EXPIRE', facts_of(ARGV[1], kind), 60)
end
return 1

-- Somebody comes into the room.
-- Arguments: the name of the process, the visitor; then the name that the visitor wants to have and what stands for it,
-- or two empty ones: then it is the one that the visitor has at another process, or that of the first guest who is not here;
-- then 1 if the visitor may only have that name who has it at another process.
-- Answer: the name, and since when (ms) the visitor is here under it; or nothing if it may not be had.
local process, visitor, name, key, reserved = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local since = nil
local processes = living()
if name == '' then
    local taken = {}
    for _, other in ipairs(processes) do
        local facts = redis.call('HGETALL', facts_of(other, 'name'))
        for i = 1, #facts, 2 do
            local person = cjson.decode(facts[i + 1])
            taken[facts[i]] = true
            if person[1] == visitor then
                key, name, since = facts[i], person[2], person[3]
            end
        end
    end
    local number = 0
    while name == '' do
        number = number + 1
        if not taken['guest ' .. number] then
            name, key = 'Guest ' .. number, 'guest ' .. number
        end
    end
else
    for _, other in ipairs(processes) do
        local fact = redis.call('HGET', facts_of(other, 'name'), key)
        if fact then
            local person = cjson.decode(fact)
            if person[1] ~= visitor then
                return {}
            end
            name, since = person[2], person[3]
        end
    end
    if reserved and not since then
        return {}
    end
end
since = since or clock()
redis.call('HSET', facts_of(process, 'name'), key, cjson.encode({visitor, name, since}))
return {name, since}

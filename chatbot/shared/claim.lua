-- Somebody comes into the room.
-- Arguments: the name of the process, the visitor; then the name that the visitor wants to have and what stands for it,
-- or two empty ones: then it is the one that the visitor has at another process, or that of the first guest who is not here.
-- Answer: the name, or an empty one if it is another visitor's.
local process, visitor, name, key = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local processes = living()
if name == '' then
    local taken = {}
    for _, other in ipairs(processes) do
        local facts = redis.call('HGETALL', facts_of(other, 'name'))
        for i = 1, #facts, 2 do
            local person = cjson.decode(facts[i + 1])
            taken[facts[i]] = true
            if person[1] == visitor then
                name, key = person[2], facts[i]
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
        if fact and cjson.decode(fact)[1] ~= visitor then
            return ''
        end
    end
end
redis.call('HSET', facts_of(process, 'name'), key, cjson.encode({visitor, name}))
return name

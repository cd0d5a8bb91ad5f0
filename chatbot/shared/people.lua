-- Who is in the room at other processes.
-- Argument: the name of the process that asks.
-- Answer: 1 if these are all processes; then what stands for each name, the name itself, and since when (ms) it is there.
local processes, all = living()
local people = {all and 1 or 0}
for _, process in ipairs(processes) do
    if process ~= ARGV[1] then
        local facts = redis.call('HGETALL', facts_of(process, 'name'))
        for i = 1, #facts, 2 do
            people[#people + 1] = facts[i]
            local person = cjson.decode(facts[i + 1])
            people[#people + 1] = person[2]
            people[#people + 1] = person[3]
        end
    end
end
return people

-- How many are connected to each process. Who is in the room at several is one.
-- Answer: 1 if these are all processes, the time in ms, then the name of each and how many are connected to it.
local processes, all = living()
local answer = {all and 1 or 0, clock()}
local seen = {}
for _, process in ipairs(processes) do
    answer[#answer + 1] = process
    local number = tonumber(redis.call('HGET', facts_of(process, 'clients'), '')) or 0
    for _, name in ipairs(redis.call('HKEYS', facts_of(process, 'name'))) do
        if not seen[name] then
            seen[name] = true
            number = number + 1
        end
    end
    answer[#answer + 1] = number
end
return answer

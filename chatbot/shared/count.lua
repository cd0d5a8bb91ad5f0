-- How many are connected to each process.
-- Answer: 1 if these are all processes, the time in ms, then the name of each and how many are connected to it.
local processes, all = living()
local answer = {all and 1 or 0, clock()}
for _, process in ipairs(processes) do
    answer[#answer + 1] = process
    answer[#answer + 1] = tonumber(redis.call('HGET', facts_of(process, 'clients'), '')) or 0
end
return answer

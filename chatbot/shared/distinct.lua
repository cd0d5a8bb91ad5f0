-- How many different things of a kind the living processes say something of.
-- Argument: the kind.
local seen, number = {}, 0
for _, process in ipairs((living())) do
    for _, name in ipairs(redis.call('HKEYS', facts_of(process, ARGV[1]))) do
        if not seen[name] then
            seen[name] = true
            number = number + 1
        end
    end
end
return number

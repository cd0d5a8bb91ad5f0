-- What the living processes say of something that they count, together.
-- Arguments: its kind and its name.
local total = 0
for _, process in ipairs((living())) do
    total = total + (tonumber(redis.call('HGET', facts_of(process, ARGV[1]), ARGV[2])) or 0)
end
return total

-- Something is asked, for which a token is taken out of several buckets, if each has one.
-- Arguments: how many ms it takes to fill a bucket, then for each its name and how many tokens it holds.
-- Answer: 0; or in how many ms there is a token, and none is taken.
-- A bucket is kept as the time at which it will be full again, as in `chatbot.web.rates`, in µs.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local refill = ARGV[1] * 1000
local wait = 0
local full_at = {}
for i = 2, #ARGV, 2 do
    local token = refill / ARGV[i + 1]
    full_at[i] = math.max(tonumber(redis.call('GET', prefix .. ARGV[i])) or 0, now) + token
    wait = math.max(wait, full_at[i] - now - refill)
end
if wait >= 1 then
    return math.ceil(wait / 1000)
end
for i = 2, #ARGV, 2 do
    redis.call('SET', prefix .. ARGV[i], string.format('%.0f', full_at[i]), 'PX', ARGV[1])
end
return 0

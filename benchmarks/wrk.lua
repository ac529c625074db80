-- wrk's part: send the prepared requests of a file in turn and count answers that are no success.
-- Arguments after --: the file (whole HTTP requests, separated by byte 30) and a seed.
local EVENT, MOMENT = string.rep("E", 36), string.rep("M", 27)
local requests, n, i, moment = {}, 0, 0, 0
failed = 0

function init(args)
  for text in assert(io.open(args[1], "rb")):read("*a"):gmatch("[^\30]+") do
    n = n + 1
    requests[n] = text
  end
  math.randomseed(tonumber(args[2]))
  i = math.random(0, n - 1)
end

local function event()
  return string.format("%08x-%04x-4%03x-a%03x-%012x", math.random(0, 0xffffffff), math.random(0, 0xffff),
    math.random(0, 0xfff), math.random(0, 0xfff), math.random(0, 0xffffffffffff))
end

function request()
  i = i % n + 1
  local text = requests[i]
  if not text:find(EVENT, 1, true) then return text end
  moment = (moment + 1) % 1000000
  local now = os.date("!%Y-%m-%dT%H:%M:%S") .. string.format(".%06dZ", moment)
  return (text:gsub(EVENT, event()):gsub(MOMENT, now))
end

-- The marks are those of client.py. Looking costs 2 to 10 microseconds an answer, the same for every server.
function response(status, headers, body)
  if status ~= 200 or body:find('"errors"', 1, true)
    or #body < 600 and (body:find("{}", 1, true) or body:find('"REJECTED"', 1, true)) then
    failed = failed + 1
  end
end

local threads = {}
function setup(thread) threads[#threads + 1] = thread end

function done(summary, latency, _)
  local bad = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, thread in ipairs(threads) do bad = bad + thread:get("failed") end
  io.write(string.format(
    'RESULT {"requests":%d,"rps":%.2f,"p50_ms":%.3f,"p95_ms":%.3f,"p99_ms":%.3f,"errors":%d}\n',
    summary.requests, summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1000,
    latency:percentile(95) / 1000, latency:percentile(99) / 1000, bad))
end

-- What wrk does not say by itself: the longest time without an answer on any connection, and failures by status.
-- A pause between two requests of a connection keeps the load steady, so that what is lost is due to the event.
local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } lab_time;
  int clock_gettime(int clock, lab_time *time);
]]
local time = ffi.new("lab_time")
local CLOCK_MONOTONIC = 1

local function milliseconds()
  ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
  return tonumber(time.seconds) * 1000 + tonumber(time.nanoseconds) / 1e6
end

local threads = {}
function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  last = milliseconds()
  longest = 0
  refused = 0
  pause = tonumber(args[1] or "20")
end

function delay()
  return pause
end

function response(status)
  local now = milliseconds()
  if now - last > longest then longest = now - last end
  last = now
  if status ~= 200 then refused = refused + 1 end
end

function done(summary)
  local longest, refused = 0, 0
  for _, thread in ipairs(threads) do
    longest = math.max(longest, thread:get("longest"), milliseconds() - thread:get("last"))
    refused = refused + thread:get("refused")
  end
  local errors = summary.errors
  print(string.format(
    '{"answered":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d,"longestGapMilliseconds":%.0f}',
    summary.requests - refused, errors.connect, errors.read, errors.write, errors.timeout, refused, longest))
end

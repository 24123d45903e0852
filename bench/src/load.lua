-- What wrk sends, whichever server it is for. The bench writes this file with HEADERS, AUTHORIZATION, the paths, the
-- method of a write and the bodies in front of it. Requests are made before the clock starts: made one by one they would hold back the load
-- generator.

-- No factor in common with the number of users or of bulk reads, which have those of ten alone: from any start, every
-- one of them has its turn before any has a second.
local STRIDE = 40503
local BULK_REQUESTS = 50

-- requests::user_id computes the same.
local function user(index)
   return string.format("%08x-0000-4000-8000-%012x", (index * 2654435761) % 4294967296, index)
end

-- The index of the first user.
local first

-- The users' tokens, from index 0; nil: all requests are the same application's.
local tokens

-- The text of a request, in which "@ID" stands for a user's id. The request's own id is the same: a GUID like any.
-- Where users ask for themselves, "@TOKEN" stands for a user's token.
local function request_text(method, path, body)
   local authorization = tokens and "Bearer @TOKEN" or AUTHORIZATION
   local headers = { ["Authorization"] = authorization, ["client-request-id"] = "@ID" }
   for name, value in pairs(HEADERS) do headers[name] = value end
   if body then headers["Content-Type"] = "application/json" end
   return wrk.format(method, path, headers, body)
end

local function for_each_user(users, text)
   local requests = {}
   for index = 0, users - 1 do
      local request = text:gsub("@ID", user(first + index))
      if tokens then request = request:gsub("@TOKEN", tokens[index]) end
      requests[index] = request
   end
   return requests
end

-- The lines of a file.
local function read_tokens(path)
   local read, count = {}, 0
   for line in io.lines(path) do
      read[count] = line
      count = count + 1
   end
   return read
end

local function bulk_reads(users)
   local requests, at = {}, 0
   for index = 0, BULK_REQUESTS - 1 do
      local ids = {}
      for n = 1, BULK_IDS do
         ids[n] = user(first + at)
         at = (at + STRIDE) % users
      end
      local body = '{"ids":["' .. table.concat(ids, '","') .. '"]}'
      requests[index] = (request_text("POST", BULK, body):gsub("@ID", ids[1]))
   end
   return requests
end

local function in_turn(requests, count, start)
   local at = start % count
   return function()
      at = (at + STRIDE) % count
      return requests[at]
   end
end

-- Four reads, then one write, each in its own turn.
local function four_to_one(read, write)
   local turn = 0
   return function()
      turn = (turn + 1) % 5
      if turn == 0 then return write() end
      return read()
   end
end

local next_request

-- Arguments: the kind of load, the number of users, where to start among them, the index of the first of them, and the
-- file of their tokens if they have any; those are for reads and writes of one presence.
function init(args)
   local kind, users, start = args[1], tonumber(args[2]), tonumber(args[3])
   first = tonumber(args[4])
   if args[5] then tokens = read_tokens(args[5]) end
   local function reads() return in_turn(for_each_user(users, request_text("GET", PRESENCE)), users, start) end
   -- Of several bodies each user sends one after the other, so that no two writes in a row say the same.
   local function writes()
      local requests = {}
      for turn, body in ipairs(SET_BODIES) do
         for index, request in pairs(for_each_user(users, request_text(SET_METHOD, SET_PRESENCE, body))) do
            requests[(turn - 1) * users + index] = request
         end
      end
      return in_turn(requests, #SET_BODIES * users, start)
   end
   if kind == "get" then
      next_request = reads()
   elseif kind == "bulk" then
      next_request = in_turn(bulk_reads(users), BULK_REQUESTS, start)
   elseif kind == "set" then
      next_request = writes()
   elseif kind == "mixed" then
      next_request = four_to_one(reads(), writes())
   else
      error("unknown kind of load: " .. tostring(kind))
   end
end

function request()
   return next_request()
end

-- One line of JSON. Times are microseconds.
function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"duration":%d,"bytes":%.0f,"p50":%d,"p99":%d,"max":%d,' ..
      '"status":%d,"connect":%d,"read":%d,"write":%d,"timeout":%d}\n',
      summary.requests, summary.duration, summary.bytes,
      latency:percentile(50), latency:percentile(99), latency.max,
      errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end

/**
 * What the store does, as Lua: a script runs alone, from its first to its last line, so that whatever it has read still holds when it
 * writes. That is what makes claims exclusive (L1, L4) and a heartbeat conflict with a claim (L5). Each script asks the *server* for the time, once (T1).
 *
 * Keys, all with the namespace in front, as a hash tag, so that a cluster keeps them on one node:
 *
 * - `sessions`: a sorted set of session ids by the time of opening; `s:<session>`: a hash with everything about one
 * - `terms`: a hash of group → term, never shortened (L2); `holders`: a hash of group → session
 * - `h:<session>`: the set of groups that a session was granted; `c:<session>`: the set that it contends for; `w:<group>`: who contends
 *
 * @module
 */

/** Functions that the scripts share. `p` is the prefix of all keys. */
const PRELUDE = `
local p = KEYS[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000

local function session_key(id) return p .. 's:' .. id end

-- What is left of a session in ms; 0 when it is dead: expired, closed or unknown (S2).
local function remaining(id)
  local row = redis.call('HMGET', session_key(id), 'expires', 'closed')
  if not row[1] or row[2] == '1' then return 0 end
  return math.max(0, tonumber(row[1]) - now)
end

local function count(id, field) return tonumber(redis.call('HGET', session_key(id), field) or '0') end

-- The live holder of a group, or nil (L1).
local function holder_of(group)
  local id = redis.call('HGET', p .. 'holders', group)
  if id and remaining(id) > 0 then return id end
  return nil
end

local function ms(value) return string.format('%.3f', value) end

local function hint(groups)
  if #groups > 0 then redis.call('PUBLISH', p .. 'hints', cjson.encode(groups)) end
end
`;

/** ARGV: session, member, TTL, metadata, retention. Answers 0 if the id exists. Prunes at most ten sessions that have been dead for long (S4). */
const OPEN = `
for _, id in ipairs(redis.call('ZRANGE', p .. 'sessions', 0, 9)) do
  local ended = tonumber(redis.call('HGET', session_key(id), 'expires') or '0')
  if remaining(id) == 0 and ended + tonumber(ARGV[5]) < now then
    for _, group in ipairs(redis.call('SMEMBERS', p .. 'h:' .. id)) do
      if redis.call('HGET', p .. 'holders', group) == id then redis.call('HDEL', p .. 'holders', group) end
    end
    for _, group in ipairs(redis.call('SMEMBERS', p .. 'c:' .. id)) do redis.call('SREM', p .. 'w:' .. group, id) end
    redis.call('DEL', session_key(id), p .. 'h:' .. id, p .. 'c:' .. id)
    redis.call('ZREM', p .. 'sessions', id)
  end
end
if redis.call('EXISTS', session_key(ARGV[1])) == 1 then return 0 end
redis.call('HSET', session_key(ARGV[1]), 'member', ARGV[2], 'ttl', ARGV[3], 'metadata', ARGV[4], 'opened', ms(now),
  'expires', ms(now + tonumber(ARGV[3])), 'closed', '0', 'grants', '0', 'releases', '0')
redis.call('ZADD', p .. 'sessions', ms(now), ARGV[1])
return 1
`;

/** ARGV: session, holders… Answers nothing if the session is dead, else grants, rank, and two values for each holder. */
const HEARTBEAT = `
local own = ARGV[1]
if remaining(own) == 0 then return {} end
redis.call('HSET', session_key(own), 'expires', ms(now + tonumber(redis.call('HGET', session_key(own), 'ttl'))))
local asked = {}
for i = 2, #ARGV do asked[ARGV[i]] = true end
local rank = 0
for _, id in ipairs(redis.call('ZRANGE', p .. 'sessions', 0, -1)) do
  if id == own then break end
  if not asked[id] and remaining(id) > 0 then rank = rank + 1 end
end
local answer = { tostring(count(own, 'grants')), tostring(rank) }
for i = 2, #ARGV do
  answer[#answer + 1] = ms(remaining(ARGV[i]))
  answer[#answer + 1] = tostring(count(ARGV[i], 'releases'))
end
return answer
`;

/** ARGV: session. Dead from here on, and so are its leases (L1, S3); the rest is tidying up. */
const CLOSE = `
if redis.call('HGET', session_key(ARGV[1]), 'closed') ~= '0' then return 0 end
local freed = {}
for _, group in ipairs(redis.call('SMEMBERS', p .. 'h:' .. ARGV[1])) do
  if redis.call('HGET', p .. 'holders', group) == ARGV[1] then
    redis.call('HDEL', p .. 'holders', group)
    freed[#freed + 1] = group
  end
end
for _, group in ipairs(redis.call('SMEMBERS', p .. 'c:' .. ARGV[1])) do redis.call('SREM', p .. 'w:' .. group, ARGV[1]) end
redis.call('DEL', p .. 'h:' .. ARGV[1], p .. 'c:' .. ARGV[1])
redis.call('HSET', session_key(ARGV[1]), 'closed', '1', 'expires', ms(math.min(now, tonumber(redis.call('HGET', session_key(ARGV[1]), 'expires')))))
hint(freed)
return 1
`;

/** ARGV: session, groups… Has no effect for a dead session. */
const CONTEND = `
if remaining(ARGV[1]) == 0 then return 0 end
for i = 2, #ARGV do
  redis.call('SADD', p .. 'c:' .. ARGV[1], ARGV[i])
  redis.call('SADD', p .. 'w:' .. ARGV[i], ARGV[1])
end
return 1
`;

/** ARGV: session, groups… */
const WITHDRAW = `
for i = 2, #ARGV do
  redis.call('SREM', p .. 'c:' .. ARGV[1], ARGV[i])
  redis.call('SREM', p .. 'w:' .. ARGV[i], ARGV[1])
end
return 1
`;

/** Pushes what everyone may know of a live holder onto an answer. */
const PUSH_HOLDER = `
local function push_holder(answer, id)
  answer[#answer + 1] = id
  answer[#answer + 1] = redis.call('HGET', session_key(id), 'member')
  answer[#answer + 1] = ms(remaining(id))
  answer[#answer + 1] = tostring(count(id, 'releases'))
end
`;

/**
 * ARGV: session, groups… Answers six values for each group: kind, term, and the holder's four. The session and the holder are judged by one reading of
 * the clock, and nothing can come between the look and the write.
 */
const CLAIM = `
${PUSH_HOLDER}
local own = ARGV[1]
local is_live = remaining(own) > 0
local answer, granted = {}, {}
for i = 2, #ARGV do
  local group = ARGV[i]
  local holder = is_live and holder_of(group)
  if not is_live then
    for _, value in ipairs({ 'dead', '0', '', '', '0', '0' }) do answer[#answer + 1] = value end
  elseif holder and holder ~= own then
    answer[#answer + 1] = 'held'
    answer[#answer + 1] = redis.call('HGET', p .. 'terms', group)
    push_holder(answer, holder)
  else
    local term = redis.call('HGET', p .. 'terms', group)
    if not holder then
      term = tostring(redis.call('HINCRBY', p .. 'terms', group, 1))
      redis.call('HSET', p .. 'holders', group, own)
      redis.call('SADD', p .. 'h:' .. own, group)
      redis.call('HINCRBY', session_key(own), 'grants', 1)
      granted[#granted + 1] = group
    end
    for _, value in ipairs({ holder and 'again' or 'fresh', term, '', '', '0', '0' }) do answer[#answer + 1] = value end
  end
end
hint(granted)
return answer
`;

/** ARGV: session, then group and term in turn. Answers 1 or 0 for each: only the exact lease is freed (L3). */
const RELEASE = `
local answer, freed = {}, {}
for i = 2, #ARGV, 2 do
  local group, term = ARGV[i], ARGV[i + 1]
  if redis.call('HGET', p .. 'holders', group) == ARGV[1] and redis.call('HGET', p .. 'terms', group) == term then
    redis.call('HDEL', p .. 'holders', group)
    redis.call('SREM', p .. 'h:' .. ARGV[1], group)
    redis.call('HINCRBY', session_key(ARGV[1]), 'releases', 1)
    freed[#freed + 1] = group
    answer[#answer + 1] = 1
  else
    answer[#answer + 1] = 0
  end
end
hint(freed)
return answer
`;

/** ARGV: session. Answers nothing if it is dead, else grants, then group and term in turn. A group that went to another since is skipped. */
const HELD = `
if remaining(ARGV[1]) == 0 then return {} end
local answer = { tostring(count(ARGV[1], 'grants')) }
for _, group in ipairs(redis.call('SMEMBERS', p .. 'h:' .. ARGV[1])) do
  if redis.call('HGET', p .. 'holders', group) == ARGV[1] then
    answer[#answer + 1] = group
    answer[#answer + 1] = redis.call('HGET', p .. 'terms', group)
  end
end
return answer
`;

/** ARGV: groups… Answers six values for each: term, contenders, and the holder's four. */
const READ = `
${PUSH_HOLDER}
local answer = {}
for _, group in ipairs(ARGV) do
  local holder = holder_of(group)
  local contenders = holder and 1 or 0
  for _, id in ipairs(redis.call('SMEMBERS', p .. 'w:' .. group)) do
    if id ~= holder and remaining(id) > 0 then contenders = contenders + 1 end
  end
  answer[#answer + 1] = redis.call('HGET', p .. 'terms', group) or '0'
  answer[#answer + 1] = tostring(contenders)
  if holder then
    push_holder(answer, holder)
  else
    for _, value in ipairs({ '', '', '0', '0' }) do answer[#answer + 1] = value end
  end
end
return answer
`;

/** Answers eight values for each live session, the oldest first. */
const MEMBERS = `
local answer = {}
for _, id in ipairs(redis.call('ZRANGE', p .. 'sessions', 0, -1)) do
  local left = remaining(id)
  if left > 0 then
    local held, contended = {}, 0
    local leases = 0
    for _, group in ipairs(redis.call('SMEMBERS', p .. 'h:' .. id)) do
      if redis.call('HGET', p .. 'holders', group) == id then
        leases = leases + 1
        held[group] = true
      end
    end
    for _, group in ipairs(redis.call('SMEMBERS', p .. 'c:' .. id)) do
      if not held[group] then contended = contended + 1 end
    end
    local row = redis.call('HMGET', session_key(id), 'member', 'ttl', 'opened', 'metadata')
    for _, value in ipairs({ id, row[1], row[2], ms(left), ms(math.max(0, now - tonumber(row[3]))), tostring(leases),
      tostring(leases + contended), row[4] }) do answer[#answer + 1] = value end
  end
end
return answer
`;

/** Every script, complete. */
export const redisScripts: Readonly<Record<ScriptName, string>> = Object.freeze({
  open: PRELUDE + OPEN,
  heartbeat: PRELUDE + HEARTBEAT,
  close: PRELUDE + CLOSE,
  contend: PRELUDE + CONTEND,
  withdraw: PRELUDE + WITHDRAW,
  claim: PRELUDE + CLAIM,
  release: PRELUDE + RELEASE,
  held: PRELUDE + HELD,
  read: PRELUDE + READ,
  members: PRELUDE + MEMBERS,
});

/** The names of the scripts. */
export type ScriptName = 'open' | 'heartbeat' | 'close' | 'contend' | 'withdraw' | 'claim' | 'release' | 'held' | 'read' | 'members';

"""What Redis does at once. Each script is given the names of its keys, and the catalog's time.

An entry is a hash ``e``: ``body``, ``expires``, ``task``, ``created``, ``size``. Its reservation is a hash
``r``: ``owner``, ``until``.
``all`` orders the digests by last use; ``task`` is the set of those of a task.
"""

RESERVE = """
local owner, till = unpack(redis.call('HMGET', KEYS[1], 'owner', 'until'))
if owner and owner ~= ARGV[1] and tonumber(till) > tonumber(ARGV[2]) then return {owner, till} end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {ARGV[1], ARGV[3]}
"""

RELEASE = """
if redis.call('HGET', KEYS[1], 'owner') == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""

LOOKUP = """
local body, expires = unpack(redis.call('HMGET', KEYS[1], 'body', 'expires'))
if not body or (expires ~= '' and tonumber(expires) <= tonumber(ARGV[1])) then return false end
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[2])
return body
"""

PUBLISH = """
local body, expires = unpack(redis.call('HMGET', KEYS[1], 'body', 'expires'))
local there = body and (expires == '' or tonumber(expires) > tonumber(ARGV[1]))
if not there or ARGV[2] == '1' then
    redis.call('HSET', KEYS[1], 'body', ARGV[4], 'expires', ARGV[5], 'task', ARGV[6], 'created', ARGV[7], 'size', ARGV[8])
    redis.call('SADD', KEYS[3], ARGV[9])
end
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[9])
if redis.call('HGET', KEYS[4], 'owner') == ARGV[3] then redis.call('DEL', KEYS[4]) end
"""

EVICT = """
local size = redis.call('HGET', KEYS[1], 'size')
if not size then return false end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('SREM', KEYS[3], ARGV[1])
return size
"""

STALE = """
local used = redis.call('ZSCORE', KEYS[2], ARGV[3])
local till = redis.call('HGET', KEYS[3], 'until')
if not used or tonumber(used) >= tonumber(ARGV[2]) or (till and tonumber(till) > tonumber(ARGV[1])) then return false end
local size = redis.call('HGET', KEYS[1], 'size')
if ARGV[4] == '1' then
    redis.call('ZREM', KEYS[2], ARGV[3])
    redis.call('SREM', KEYS[4], ARGV[3])
    redis.call('DEL', KEYS[1])
end
return size or '0'
"""

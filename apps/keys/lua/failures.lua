-- KEYS window of an address. ARGV now, failures to note (0: only look). Returns how many there were, ms to wait.
local window, most = KEYS[1], tonumber(ARGV[3])
forget_old(window)
charge(window, 'requests', tonumber(ARGV[2]))
local failures = number(window, 'requests')
if failures <= most then return { failures, 0 } end
return { failures, frees_in(window, 'requests', failures - most) }

-- wrk: the body in the file that BENCH_BODY names, posted again and again. Prints the median of the latencies, which
-- wrk itself rounds.
local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("SALLYPORT_TOKEN")

function done(summary, latency, requests)
    local failed = summary.errors.status + summary.errors.read + summary.errors.timeout
    io.write(string.format("rate %.1f p50us %d p99us %d failed %d\n", summary.requests / summary.duration * 1e6,
                           latency:percentile(50), latency:percentile(99), failed))
end

-- wrk: one event, posted again and again.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("SALLYPORT_TOKEN")
wrk.body = '{"event_type":"message","data":{"role":"assistant","content":"The quick brown fox jumps over the lazy dog."}}'

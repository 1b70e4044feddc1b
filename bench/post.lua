-- wrk's script: the request of a Pico, and the figures as one line of JSON.

wrk.method = "POST"
wrk.headers["Accept"] = "application/octet-stream"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"prompt": "a lighthouse at sunset, oil on canvas", "steps": 20, "width": 512, "height": 512}'

function done(summary, latency, requests)
   local bad = summary.errors
   io.write(string.format(
      '{"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "refused": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      bad.status, bad.connect + bad.read + bad.write + bad.timeout))
end

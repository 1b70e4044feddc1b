-- wrk's script: a Pico's request for a picture that has been drawn before; with the argument "get", a plain GET.

function init(arguments)
   if arguments[1] == "get" then
      wrk.method = "GET"
   else
      wrk.method = "POST"
      wrk.headers["Content-Type"] = "application/json"
      wrk.body = '{"prompt": "a lighthouse at sunset, oil on canvas", "steps": 20, "width": 512, "height": 512, "seed": 7}'
   end
   wrk.headers["Accept"] = "application/octet-stream"
end

function done(summary, latency, requests)
   local bad = summary.errors
   io.write(string.format(
      '{"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "refused": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      bad.status, bad.connect + bad.read + bad.write + bad.timeout))
end

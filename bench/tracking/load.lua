-- Makes the requests of one kind of work for wrk, and prints what came of them as one line of JSON.
-- WORK: create_run | log_metric | log_batch | fixed; ID: experiment or run; COUNT: metrics of a batch;
-- METHOD, TARGET and BODY of a fixed request; SALT keeps keys of different measurements apart.

local work = os.getenv("WORK")
local id = os.getenv("ID") or ""
local salt = os.getenv("SALT") or "0"
local count = tonumber(os.getenv("COUNT") or "0")
local api = "/api/2.0/mlflow/runs/"
local sent = 0

wrk.headers["Content-Type"] = "application/json"

local make = {}

function make.create_run()
  local body = string.format(
    '{"experiment_id":"%s","user_id":"load","run_name":"load-%d","start_time":1700000000000,' ..
    '"tags":[{"key":"mlflow.user","value":"load"},{"key":"mlflow.source.name","value":"train.py"},' ..
    '{"key":"mlflow.source.type","value":"LOCAL"}]}', id, sent)
  return wrk.format("POST", api .. "create", nil, body)
end

function make.log_metric()
  local body = string.format(
    '{"run_uuid":"%s","run_id":"%s","key":"loss_%s","value":%.6f,"timestamp":%d,"step":%d}',
    id, id, salt, 1 / sent, 1700000000000 + sent, sent)
  return wrk.format("POST", api .. "log-metric", nil, body)
end

function make.log_batch()
  local metrics = {}
  for i = 1, count do
    -- Ten keys, each step new: nothing is logged twice.
    local step = (sent - 1) * math.ceil(count / 10) + math.floor((i - 1) / 10) + 1
    metrics[i] = string.format('{"key":"batch%s_%d","value":%.6f,"timestamp":%d,"step":%d}',
      salt, i % 10, 1 / (step + i % 10), 1700000000000 + step, step)
  end
  local body = '{"run_id":"' .. id .. '","metrics":[' .. table.concat(metrics, ",") .. "]}"
  return wrk.format("POST", api .. "log-batch", nil, body)
end

function make.fixed()
  return wrk.format(os.getenv("METHOD"), os.getenv("TARGET"), nil, os.getenv("BODY"))
end

function request()
  sent = sent + 1
  return make[work]()
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.3f,"p50_ms":%.3f,"p99_ms":%.3f,"bad_status":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end

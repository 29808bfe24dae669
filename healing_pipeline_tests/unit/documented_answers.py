"""What the providers document and users report, one answer a row: the tables of the classifier's tests.

Written from the described envelopes and codes, with names and numbers of our own; no row is a
recorded response.
"""

# ruff: noqa: E501 - a table is read by its rows, and a sentence is a sentence

from __future__ import annotations

from healing_pipeline.probing.failure_class import FailureClass as Is

CHART = {
    "chart": {
        "result": [
            {
                "meta": {"symbol": "ABC", "currency": "USD"},
                "timestamp": [1700000000, 1700086400],
                "indicators": {
                    "quote": [
                        {
                            "open": [1.0, None],
                            "high": [2.0, None],
                            "low": [0.5, None],
                            "close": [1.5, None],
                            "volume": [10, None],
                        }
                    ]
                },
            }
        ],
        "error": None,
    }
}
OBSERVATIONS = {
    "count": 2,
    "observations": [
        {"realtime_start": "2024-01-01", "date": "2024-01-01", "value": "."},
        {"realtime_start": "2024-01-01", "date": "2024-01-02", "value": "4.2"},
    ],
}
DAILY = {
    "Meta Data": {"1. Information": "Daily Prices", "2. Symbol": "ABC"},
    "Time Series (Daily)": {"2024-01-02": {"1. open": "1.0", "4. close": "2.0"}},
}
BARS = {"ticker": "ABC", "resultsCount": 1, "status": "OK", "results": [{"c": 1.5, "t": 1}]}
GOOD = [
    ("yahoo", CHART, "GET /v8/finance/chart/ABC"),
    (
        "yahoo",
        {"quoteResponse": {"result": [{"symbol": "A"}], "error": None}},
        "GET /v7/finance/quote",
    ),
    (
        "yahoo",
        {
            "quoteSummary": {
                "result": [{"insiderHolders": {"holders": [], "maxAge": 1}}],
                "error": None,
            }
        },
        "GET /v10/finance/quoteSummary/ABC",
    ),
    (
        "yahoo",
        {"optionChain": {"result": [{"underlyingSymbol": "A", "options": []}], "error": None}},
        "GET /v7/finance/options/A",
    ),
    ("yahoo", {"A": {"symbol": "A", "timestamp": [1], "close": [2.0]}}, "GET /v8/finance/spark"),
    ("yahoo", {"count": 1, "quotes": [{"symbol": "A"}], "news": []}, "GET /v1/finance/search"),
    ("fred", OBSERVATIONS, "GET /fred/series/observations"),
    (
        "fred",
        {"observations": [{"date": "2024-01-01", "GDP_20240101": "1.5"}]},
        "GET /fred/series/observations?output_type=2",
    ),
    (
        "fred",
        {"meta": {"title": "x", "data": {"2012": [{"value": "1"}]}}},
        "GET /geofred/series/data",
    ),
    ("alpha_vantage", DAILY, "GET /query?function=TIME_SERIES_DAILY&symbol=ABC"),
    ("alpha_vantage", {"Global Quote": {"01. symbol": "A", "05. price": "1.5"}}, "GET /query"),
    ("alpha_vantage", {"Symbol": "A", "Name": "A Inc", "PERatio": "None"}, "GET /query"),
    (
        "alpha_vantage",
        {
            "endpoint": "Historical Options",
            "message": "success",
            "data": [{"symbol": "A", "bid": "1"}],
        },
        "GET /query?function=HISTORICAL_OPTIONS",
    ),
    ("polygon", BARS, "GET /v2/aggs/ticker/ABC/range/1/day/2024-01-01/2024-01-02"),
    ("polygon", BARS | {"status": "DELAYED"}, "GET /v2/aggs/ticker/ABC/prev"),
    ("polygon", [{"exchange": "NYSE", "status": "closed"}], "GET /v1/marketstatus/upcoming"),
    ("polygon", {"market": "closed", "exchanges": {"nyse": "closed"}}, "GET /v1/marketstatus/now"),
    ("polygon", {"status": "OK", "ticker": {"day": {"c": 1.5}}}, "GET /v2/snapshot/x"),
    ("exchange_rate", {"base": "EUR", "rates": {"USD": 1.1}}, "GET /v1/latest"),
    (
        "exchange_rate",
        {"base": "EUR", "rates": {"2024-01-01": {"USD": 1.1}}},
        "GET /v1/2024-01-01..",
    ),
    ("exchange_rate", {"result": "success", "conversion_rates": {"USD": 1}}, "GET /v6/latest/USD"),
    ("exchange_rate", {"success": True, "source": "USD", "quotes": {"USDEUR": 0.9}}, "GET /live"),
    ("exchange_rate", {"success": True, "query": {"from": "USD"}, "result": 90.5}, "GET /convert"),
    (
        "exchange_rate",
        [{"date": "2024-01-01", "base": "EUR", "quote": "USD", "rate": 1.1}],
        "GET /v2/rates",
    ),
    ("exchange_rate", {"AED": "Dirham", "USD": "US Dollar"}, "GET /api/currencies.json"),
    (
        "exchange_rate",
        {"status": 200, "data": {"app_id": "x", "usage": {"requests": 1}}},
        "GET /api/usage.json",
    ),
]
GOOD += [
    ("exchange_rate", {"base": "USD", "fx": {"EUR": 0.9}}, "GET /an/unfamiliar/path"),
    ("unknown", {"price": 1.5, "tags": []}, "GET /anything"),
]
OTHER_FORMS: list[tuple[str, str | bytes, str]] = [
    ("yahoo", "Date,Open,Close\n2024-01-02,1.0,2.0", "GET /v7/finance/download/A"),
    ("yahoo", "Date,Stock Splits\n2024-01-02,4:1", "GET /v7/finance/download/A"),
    ("yahoo", "aB3.dE/fG7h", "GET /v1/test/getcrumb"),
    ("alpha_vantage", "timestamp,open,close\r\n2024-01-02,1,2\r\n", "GET /query?datatype=csv"),
    (
        "alpha_vantage",
        'symbol,name,exchange,ipoDate\nA,"Agilent, Inc.",NYSE,1999-11-18\n',
        "GET /query?function=LISTING_STATUS",
    ),
    (
        "fred",
        '<?xml version="1.0"?><observations count="1"><observation date="d" value="1"/></observations>',
        "GET /fred/series/observations",
    ),
    (
        "exchange_rate",
        b'{"base":"EUR","note":"\xe9","rates":{"USD":1.1,"XXX":NaN}}',
        "GET /latest",
    ),
]


def yahoo_error(name: str, code: str, description: str) -> dict[str, object]:
    return {name: {"result": None, "error": {"code": code, "description": description}}}


def apilayer(code: int, kind: str, info: str = "") -> dict[str, object]:
    return {"success": False, "error": {"code": code, "type": kind, "info": info}}


def open_rates(status: int, message: str, description: str = "") -> dict[str, object]:
    return {"error": True, "status": status, "message": message, "description": description}


def empty_chart(**quote: object) -> dict[str, object]:
    result = {"meta": {}, "timestamp": [1, 2], "indicators": {"quote": [quote]}}
    return {"chart": {"result": [result], "error": None}}


CHART_PATH = "GET /v8/finance/chart/A"
AV = "https://www.alphavantage.co/premium/"
FAILURES: list[tuple[str, int | None, object, str, Is]] = [
    # Yahoo
    ("yahoo", 200, "Edge: Too Many Requests", "GET /v1/test/getcrumb", Is.RATE_LIMIT),
    ("yahoo", 200, "Too Many Requests\r\n", "GET /v1/test/getcrumb", Is.RATE_LIMIT),
    ("yahoo", None, "Edge: Too Many Requests", CHART_PATH, Is.RATE_LIMIT),
    ("yahoo", 200, yahoo_error("finance", "Unauthorized", "Invalid Crumb"), CHART_PATH, Is.AUTH_ERROR),
    ("yahoo", 401, yahoo_error("finance", "Unauthorized", "Invalid Cookie"), "", Is.AUTH_ERROR),
    ("yahoo", 401, yahoo_error("finance", "unauthorized", "User is not logged in"), "", Is.AUTH_ERROR),
    ("yahoo", 404, yahoo_error("chart", "Not Found", "No data found"), CHART_PATH, Is.NOT_FOUND),
    ("yahoo", 200, yahoo_error("chart", "Not Found", "No data found"), CHART_PATH, Is.NOT_FOUND),
    ("yahoo", 404, {"quoteSummary": {"result": [], "error": None}}, "", Is.NOT_FOUND),
    ("yahoo", 400, yahoo_error("chart", "Bad Request", "Invalid input - interval"), "", Is.BAD_REQUEST),
    ("yahoo", 400, yahoo_error("quoteResponse", "argument-error", "Missing value"), "", Is.BAD_REQUEST),
    ("yahoo", 200, yahoo_error("quoteSummary", "internal-error", "x"), "", Is.SERVER_ERROR),
    ("yahoo", 502, yahoo_error("chart", "Bad Gateway", "x"), "", Is.SERVER_ERROR),
    ("yahoo", 200, empty_chart(), CHART_PATH, Is.EMPTY),
    ("yahoo", 200, empty_chart(close=[None, None], volume=[0, 0]), CHART_PATH, Is.EMPTY),
    ("yahoo", 200, empty_chart(close=[1.0]), CHART_PATH, Is.INVALID_DATA),
    ("yahoo", 200, empty_chart(close=["a", "b"]), CHART_PATH, Is.INVALID_DATA),
    ("yahoo", 200, {"chart": {"result": [], "error": None}}, CHART_PATH, Is.EMPTY),
    ("yahoo", 200, {"chart": {"error": None}}, CHART_PATH, Is.INVALID_DATA),
    ("yahoo", 200, {"some": "other answer"}, CHART_PATH, Is.INVALID_DATA),
    ("yahoo", 200, {"spark": {"result": [{"symbol": "A", "response": [{"meta": {}}]}], "error": None}}, "", Is.EMPTY),
    ("yahoo", 200, {"query": {"count": 0, "results": None}}, "GET /v1/public/yql", Is.EMPTY),
    ("yahoo", 200, {"count": 0, "quotes": [], "news": [], "totalTime": 3}, "GET /v1/finance/search", Is.EMPTY),
    ("yahoo", 200, "<html><body>Will be right back...</body></html>", CHART_PATH, Is.INVALID_DATA),
    ("yahoo", 200, "<html><title>Yahoo is part of a family</title></html>", "", Is.INVALID_DATA),
    ("yahoo", 307, b"", CHART_PATH, Is.INVALID_DATA),
    ("yahoo", 999, "<html><title>Yahoo! - 999</title></html>", "", Is.BOT_BLOCK),
    ("yahoo", 403, "As such, the service is being discontinued.", "", Is.SERVER_ERROR),
    ("yahoo", 200, "Date,Open,Close\n", "GET /v7/finance/download/A", Is.EMPTY),
    ("yahoo", 200, "Date,Open,Close\n2024-01-02,null,null", "GET /v7/finance/download/A", Is.EMPTY),
    ("yahoo", 200, "Date,Open,Close\n2024-01-02,1.0,2.0\n2024-01", "GET /v7/finance/download/A", Is.INVALID_DATA),
    # FRED
    ("fred", 400, {"error_code": 400, "error_message": "Bad Request.  The value for variable api_key is not registered."}, "", Is.AUTH_ERROR),
    ("fred", 400, '<?xml version="1.0"?><error code="400" message="Bad Request.  The series does not exist." />', "", Is.NOT_FOUND),
    ("fred", 200, '<error code="429" message="Too Many Requests.  Exceeded Rate Limit" />', "", Is.RATE_LIMIT),
    ("fred", 400, {"error_code": 400, "error_message": "Bad Request.  The category does not exist."}, "", Is.NOT_FOUND),
    ("fred", 404, {"error_code": 404, "error_message": "Not Found"}, "", Is.NOT_FOUND),
    ("fred", 423, {"error_code": 423, "error_message": "Locked"}, "", Is.SERVER_ERROR),
    ("fred", 200, {"error_code": 429, "error_message": "Too Many Requests.  Exceeded Rate Limit"}, "", Is.RATE_LIMIT),
    ("fred", None, {"error_code": 500, "error_message": "Internal Server Error"}, "", Is.SERVER_ERROR),
    ("fred", 400, {"error_code": 400, "error_message": "Bad Request.  Value of limit is not between 1 and 1000."}, "", Is.BAD_REQUEST),
    ("fred", 200, {"count": 1, "observations": [{"date": "2024-01-01", "value": "."}]}, "", Is.EMPTY),
    ("fred", 200, {"observations": [{"date": "2024-01-01", "value": "abc"}]}, "", Is.INVALID_DATA),
    ("fred", 200, {"seriess": []}, "", Is.EMPTY),
    ("fred", 200, {"release_id": "1", "elements": {}}, "", Is.EMPTY),
    ("fred", 200, '<observations count="0"></observations>', "", Is.EMPTY),
    ("fred", 200, '<observations><observation value="1"/>', "", Is.INVALID_DATA),
    ("fred", 200, {"data": [1]}, "GET /fred/series/observations", Is.INVALID_DATA),
    ("fred", 503, "<html><title>Service Unavailable</title></html>", "", Is.SERVER_ERROR),
    ("fred", 403, "<HTML><TITLE>Access Denied</TITLE></HTML>", "", Is.BOT_BLOCK),
    # Alpha Vantage
    ("alpha_vantage", 200, {"Information": f"Our standard API rate limit is 25 requests per day. Please subscribe to any of the premium plans at {AV} to instantly remove all daily rate limits."}, "", Is.QUOTA_EXHAUSTED),
    ("alpha_vantage", 200, {"Note": "Our standard API call frequency is 5 calls per minute and 100 calls per day."}, "", Is.RATE_LIMIT),
    ("alpha_vantage", 200, {"Note": f"Please visit {AV} if you would like to have a higher API call volume."}, "", Is.RATE_LIMIT),
    ("alpha_vantage", 200, {"Information": "Please consider optimizing your API call frequency."}, "", Is.RATE_LIMIT),
    ("alpha_vantage", 200, {"Information": "Burst pattern detected. Please spread out your requests."}, "", Is.RATE_LIMIT),
    ("alpha_vantage", 200, {"Information": f"The outputsize=full parameter value is a premium feature. You may subscribe at {AV} to instantly remove all daily rate limits"}, "", Is.PLAN_LIMIT),
    ("alpha_vantage", 200, {"Information": "This is a premium endpoint and there are several ways to unlock it."}, "", Is.PLAN_LIMIT),
    ("alpha_vantage", 200, {"message": "PREMIUM ENDPOINT - the following is sample data", "data": [{"a": "1"}]}, "", Is.PLAN_LIMIT),
    ("alpha_vantage", 200, {"message": "success", "data": [{"symbol": "XXYYZZ", "bid": "1"}]}, "", Is.PLAN_LIMIT),
    ("alpha_vantage", 200, {"Error Message": "This API function (NOPE) does not exist."}, "", Is.BAD_REQUEST),
    ("alpha_vantage", 200, {"Error Message": "Invalid API call. Please retry for OVERVIEW."}, "GET /query?symbol=QQQQQ", Is.NOT_FOUND),
    ("alpha_vantage", 200, {"Information": "Invalid inputs. Please refer to the API documentation."}, "", Is.BAD_REQUEST),
    ("alpha_vantage", 200, {"Information": "words that nobody has heard before"}, "", Is.INVALID_DATA),
    ("alpha_vantage", 200, {}, "", Is.EMPTY),
    ("alpha_vantage", 200, {"Global Quote": {}}, "", Is.EMPTY),
    ("alpha_vantage", 200, {"bestMatches": []}, "", Is.EMPTY),
    ("alpha_vantage", 200, {"items": "0", "sentiment_score_definition": "x", "feed": []}, "", Is.EMPTY),
    ("alpha_vantage", 200, {"symbol": "A", "annualReports": [], "quarterlyReports": []}, "", Is.EMPTY),
    ("alpha_vantage", 200, {"Meta Data": {"1. Information": "x"}, "Time Series (Daily)": {}}, "", Is.EMPTY),
    ("alpha_vantage", 200, {"Meta Data": {"1. Information": "x"}}, "", Is.INVALID_DATA),
    ("alpha_vantage", 200, {"name": "Yield", "data": [{"date": "2024-01-01", "value": "."}]}, "", Is.EMPTY),
    ("alpha_vantage", 200, "timestamp,open,high,low,close,volume\r\n", "", Is.EMPTY),
    # Polygon
    ("polygon", 429, b"", "", Is.RATE_LIMIT),
    ("polygon", 200, {"status": "ERROR", "error": "You've exceeded the maximum requests per minute, please wait or upgrade your subscription"}, "", Is.RATE_LIMIT),
    ("polygon", 403, {"status": "NOT_AUTHORIZED", "message": "Your plan doesn't include this data timeframe."}, "", Is.PLAN_LIMIT),
    ("polygon", None, {"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data."}, "", Is.PLAN_LIMIT),
    ("polygon", 403, {"message": "Not permissioned for this feed"}, "", Is.PLAN_LIMIT),
    ("polygon", 401, {"status": "ERROR", "error": "Unknown API Key"}, "", Is.AUTH_ERROR),
    ("polygon", 400, {"status": "ERROR", "error": "Could not parse the time parameter: 'from'."}, "", Is.BAD_REQUEST),
    ("polygon", 404, {"status": "NOT_FOUND", "message": "Data not found."}, "", Is.NOT_FOUND),
    ("polygon", 404, "404 page not found", "", Is.NOT_FOUND),
    ("polygon", 200, {"status": "OK", "resultsCount": 0, "queryCount": 0, "ticker": "A"}, "GET /v2/aggs/ticker/A/prev", Is.EMPTY),
    ("polygon", 200, {"status": "DELAYED", "ticker": "A"}, "GET /v2/aggs/ticker/A/prev", Is.EMPTY),
    ("polygon", 200, {"status": "OK", "results": None}, "", Is.EMPTY),
    ("polygon", 200, {"status": "OK", "ticker": {}}, "", Is.EMPTY),
    ("polygon", 200, {"status": "OK", "tickers": []}, "", Is.EMPTY),
    ("polygon", 200, {"status": "OK", "results": [{"o": 1}]}, "GET /v2/aggs/ticker/A/prev", Is.INVALID_DATA),
    ("polygon", 200, {"status": "OK", "results": [{"error": "NOT_FOUND", "message": "Ticker not found."}]}, "", Is.NOT_FOUND),
    ("polygon", 200, {"status": "OK", "results": {"underlying": {"url": "x"}}}, "GET /v1/indicators/sma/A", Is.EMPTY),
    ("polygon", 502, "<html><title>502 Bad Gateway</title></html>", "", Is.SERVER_ERROR),
    ("polygon", None, "<html><title>504 Gateway Time-out</title></html>", "", Is.SERVER_ERROR),
    # Exchange rates: apilayer's family
    ("exchange_rate", 200, apilayer(101, "invalid_access_key"), "", Is.AUTH_ERROR),
    ("exchange_rate", 200, apilayer(102, "inactive_user"), "", Is.AUTH_ERROR),
    ("exchange_rate", 200, apilayer(103, "invalid_api_function"), "", Is.BAD_REQUEST),
    ("exchange_rate", 200, apilayer(104, "monthly_usage_limit_reached", "Your monthly usage limit has been reached. Please upgrade your plan."), "", Is.QUOTA_EXHAUSTED),
    ("exchange_rate", 200, {"success": False, "error": {"code": 104}}, "", Is.QUOTA_EXHAUSTED),
    ("exchange_rate", 200, apilayer(105, "function_access_restricted"), "", Is.PLAN_LIMIT),
    ("exchange_rate", 200, apilayer(106, "no_rates_available"), "", Is.EMPTY),
    ("exchange_rate", 200, apilayer(106, "rate_limit_reached", "You have exceeded the maximum rate limitation allowed"), "", Is.RATE_LIMIT),
    ("exchange_rate", 200, apilayer(201, "invalid_base_currency"), "", Is.BAD_REQUEST),
    ("exchange_rate", 200, apilayer(202, "invalid_currency_codes"), "", Is.BAD_REQUEST),
    ("exchange_rate", 200, apilayer(302, "invalid_date"), "", Is.BAD_REQUEST),
    ("exchange_rate", 200, apilayer(404, "404_not_found"), "", Is.NOT_FOUND),
    ("exchange_rate", 200, apilayer(602, "invalid_end_date"), "", Is.BAD_REQUEST),
    ("exchange_rate", 200, {"success": False}, "", Is.BAD_REQUEST),
    ("exchange_rate", 429, {"message": "You have exceeded your daily/monthly API rate limit."}, "", Is.QUOTA_EXHAUSTED),
    ("exchange_rate", 401, {"message": "No API key found in request"}, "", Is.AUTH_ERROR),
    ("exchange_rate", 200, {"0": "####", "1": "# This API endpoint is deprecated and has now been shut down. #"}, "", Is.SERVER_ERROR),
    ("exchange_rate", 429, {"error": "Rate limit exceeded"}, "", Is.RATE_LIMIT),
    # ExchangeRate-API
    ("exchange_rate", 403, {"result": "error", "error-type": "quota-reached"}, "", Is.QUOTA_EXHAUSTED),
    ("exchange_rate", 200, {"result": "error", "error-type": "quota-reached"}, "", Is.QUOTA_EXHAUSTED),
    ("exchange_rate", 404, {"result": "error", "error-type": "unsupported-code"}, "", Is.NOT_FOUND),
    ("exchange_rate", 403, {"result": "error", "error-type": "invalid-key"}, "", Is.AUTH_ERROR),
    ("exchange_rate", 400, {"result": "error", "error-type": "malformed-request"}, "", Is.BAD_REQUEST),
    ("exchange_rate", 404, {"result": "error", "error-type": "no-data-available"}, "", Is.EMPTY),
    ("exchange_rate", 200, {"result": "error"}, "", Is.INVALID_DATA),
    # Open Exchange Rates
    ("exchange_rate", 401, open_rates(401, "invalid_app_id"), "", Is.AUTH_ERROR),
    ("exchange_rate", 401, open_rates(401, "missing_app_id"), "", Is.AUTH_ERROR),
    ("exchange_rate", 429, open_rates(429, "not_allowed"), "", Is.PLAN_LIMIT),
    ("exchange_rate", 429, open_rates(429, "access_restricted", "Access restricted for repeated over-use"), "", Is.QUOTA_EXHAUSTED),
    ("exchange_rate", 429, open_rates(429, "too_many_requests", "Access restricted until 2030-01-01 (reason: too_many_requests)"), "", Is.QUOTA_EXHAUSTED),
    ("exchange_rate", 400, open_rates(400, "invalid_base"), "", Is.BAD_REQUEST),
    ("exchange_rate", 404, open_rates(404, "not_found"), "", Is.NOT_FOUND),
    # Frankfurter
    ("exchange_rate", 404, {"message": "not found"}, "", Is.NOT_FOUND),
    ("exchange_rate", None, {"message": "not found"}, "", Is.NOT_FOUND),
    ("exchange_rate", None, {"status": 422, "message": "invalid currency: ABC"}, "", Is.NOT_FOUND),
    ("exchange_rate", 422, {"status": 422, "message": "invalid date"}, "", Is.BAD_REQUEST),
    ("exchange_rate", 200, {"base": "EUR", "date": "2024-01-01", "rates": {}}, "", Is.EMPTY),
    ("exchange_rate", 200, {"base": "EUR", "rates": {"USD": "n/a"}}, "", Is.INVALID_DATA),
    ("exchange_rate", 200, {"hello": "world"}, "", Is.INVALID_DATA),
    ("exchange_rate", 524, "<html><title>524: A timeout occurred</title></html>", "", Is.SERVER_ERROR),
    # Anybody
    ("unknown", 200, b"", "", Is.EMPTY),
    ("unknown", 204, b"", "", Is.EMPTY),
    ("unknown", 206, '{"a": 1}', "", Is.INVALID_DATA),
    ("unknown", 200, "[]", "", Is.EMPTY),
    ("unknown", 200, '{"a": 1', "", Is.INVALID_DATA),
    ("unknown", 200, '"a string"', "", Is.INVALID_DATA),
    ("unknown", 200, {"feed": {"result": None, "error": {"code": "Unauthorized"}}}, "", Is.AUTH_ERROR),
    ("unknown", 200, {"Information": "Thank you! Our rate limit is 25 requests per day."}, "", Is.QUOTA_EXHAUSTED),
    ("unknown", 200, {"count": 0, "offset": 0, "tags": []}, "", Is.EMPTY),
    ("unknown", 200, {"page": 1, "results": []}, "", Is.EMPTY),
    ("exchange_rate", 200, apilayer(505, "timeframe_too_long", "The time frame exceeds 365 days"), "", Is.BAD_REQUEST),
    ("unknown", 200, {"detail": "Not found."}, "", Is.NOT_FOUND),
    ("unknown", 200, {"message": "Internal server error"}, "", Is.SERVER_ERROR),
    ("unknown", 200, "<html><title>Just a moment...</title></html>", "", Is.BOT_BLOCK),
    ("unknown", 200, "<html><title>S&amp;P 500 quotes</title></html>", "", Is.INVALID_DATA),
    ("unknown", 408, b"", "", Is.TIMEOUT),
    ("unknown", 402, {"error": "Payment required"}, "", Is.PLAN_LIMIT),
    ("unknown", 418, b"", "", Is.BAD_REQUEST),
]  # fmt: skip

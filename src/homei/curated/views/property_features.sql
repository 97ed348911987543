-- What was known of a sale's home and of its location's market before the month of the sale.
--
-- Reads sales that meet the contract. Parameters: as_of (date), average_months (int).
-- Money is added in whole cents: exact, whatever the order of the rows.
WITH allowed AS (
  SELECT
    *,
    year(sale_date) * 12 + month(sale_date) - 1 AS month_number
  FROM sales
  WHERE sale_date <= :as_of
    AND location IS NOT NULL
    AND property_type IS NOT NULL
    AND price > 0
),
by_month AS (
  SELECT
    location,
    month_number,
    count_if(is_market) AS market_sales,
    coalesce(sum(CAST(rint(price * 100) AS BIGINT)) FILTER (WHERE is_market), 0) AS cents
  FROM allowed
  GROUP BY location, month_number
),
before_month AS (
  SELECT
    location,
    month_number,
    coalesce(sum(market_sales) OVER earlier, 0) AS market_sales,
    sum(cents) OVER earlier AS cents
  FROM by_month
  -- The month of the sale itself is left out: it would tell the sale's own price, and later ones.
  WINDOW earlier AS (
    PARTITION BY location ORDER BY month_number RANGE BETWEEN :average_months PRECEDING AND 1 PRECEDING
  )
)
SELECT
  allowed.transaction_id,
  allowed.property_id,
  allowed.sale_date,
  allowed.price,
  allowed.square_meters,
  allowed.property_type,
  allowed.location,
  allowed.bedrooms,
  allowed.bathrooms,
  allowed.floor,
  CAST(allowed.year_built AS INT) AS year_built,
  year(allowed.sale_date) - CAST(allowed.year_built AS INT) AS age_at_sale,
  allowed.is_market,
  round(try_divide(allowed.price, allowed.square_meters), 2) AS reported_price_per_square_meter,
  CASE WHEN before_month.market_sales > 0 THEN round(before_month.cents / before_month.market_sales / 100, 2) END
    AS location_average_price,
  before_month.market_sales AS location_sales
FROM allowed
JOIN before_month ON before_month.location = allowed.location AND before_month.month_number = allowed.month_number

-- How good each feed's records are, by month: whole records (column_name '*') and the columns that the feed declares.
--
-- Reads raw_<table> and valid_<table> of sales, listings, customers, leads and indicators (of a valid record, `present`
-- names the columns that hold something), quarantine, and feed_columns
-- (table_name, feed, column_name, is_required). Parameters: as_of (date), freshness_days (int), and the thresholds
-- completeness, optional, validity, uniqueness (double).
WITH believed AS (
  SELECT 'sales' AS table_name, source_feed AS feed, sale_date AS dated, trunc(sale_date, 'MONTH') AS month,
    transaction_id AS id, present
  FROM valid_sales
  UNION ALL
  SELECT 'listings', source_feed, listed_on, trunc(listed_on, 'MONTH'),
    listing_id, present
  FROM valid_listings
  UNION ALL
  SELECT 'customers', source_feed, registered_on, trunc(registered_on, 'MONTH'),
    customer_id, present
  FROM valid_customers
  UNION ALL
  SELECT 'leads', source_feed, happened_on, trunc(happened_on, 'MONTH'),
    lead_id, present
  FROM valid_leads
  UNION ALL
  -- An indicator is as fresh as its publication, months after what it tells of.
  SELECT 'indicators', source_feed, to_date(known_from, 'yyyy-MM'), to_date(month, 'yyyy-MM'),
    concat(series, ' ', month), present
  FROM valid_indicators
),
-- What was rejected is text as it came; its month is unknown where its date is not written year first.
rejected AS (
  SELECT
    source_table AS table_name,
    source_feed AS feed,
    -- Rows that are excluded, or that their source has replaced, deleted or stated before, are not wrong.
    reasons RLIKE '^(excluded|replaced|deleted|deed: further row)' AS is_aside,
    CASE WHEN NOT is_aside THEN split(reasons, '; ') END AS faults,
    from_json(to_json(struct(*)), 'map<string, string>') AS cells,
    CASE source_table
      WHEN 'sales' THEN cells['sale_date']
      WHEN 'listings' THEN cells['listed_on']
      WHEN 'customers' THEN cells['registered_on']
      WHEN 'leads' THEN cells['happened_on']
      WHEN 'indicators' THEN cells['month']
    END AS written,
    CASE WHEN NOT is_aside THEN CASE source_table
      WHEN 'sales' THEN cells['transaction_id']
      WHEN 'listings' THEN cells['listing_id']
      WHEN 'customers' THEN cells['customer_id']
      WHEN 'leads' THEN cells['lead_id']
      WHEN 'indicators' THEN concat(cells['series'], ' ', cells['month'])
    END END AS id,
    CASE WHEN written RLIKE '^[12][0-9]{3}-[01][0-9]' THEN try_cast(written AS DATE) END AS parsed,
    CASE WHEN parsed <= :as_of THEN parsed END AS dated
  FROM quarantine
  WHERE source_table IN ('sales', 'listings', 'customers', 'leads', 'indicators')
),
judged AS (
  SELECT table_name, feed, dated, month, id, present, CAST(NULL AS ARRAY<STRING>) AS faults FROM believed
  UNION ALL
  SELECT table_name, feed, dated, trunc(dated, 'MONTH'), id,
    map_keys(map_filter(cells, (name, cell) -> trim(cell) <> '' AND NOT coalesce(exists(faults, fault -> startswith(fault, name || ': missing')), FALSE))),
    faults
  FROM rejected
),
received AS (
  SELECT table_name, feed, count(*) AS received
  FROM (
    SELECT 'sales' AS table_name, source_feed AS feed FROM raw_sales
    UNION ALL SELECT 'listings', source_feed FROM raw_listings
    UNION ALL SELECT 'customers', source_feed FROM raw_customers
    UNION ALL SELECT 'leads', source_feed FROM raw_leads
    UNION ALL SELECT 'indicators', source_feed FROM raw_indicators
  )
  GROUP BY table_name, feed
),
by_record AS (
  SELECT
    table_name, feed, month,
    count(*) AS rows,
    count_if(faults IS NULL) / count(*) AS validity,
    try_divide(count(DISTINCT id), count(id)) AS uniqueness,
    max(dated) AS newest
  FROM judged
  GROUP BY table_name, feed, month
),
-- What is true of a feed as a whole stands with its newest month.
of_feeds AS (
  SELECT *,
    sum(rows) OVER (PARTITION BY table_name, feed) AS judged,
    row_number() OVER (PARTITION BY table_name, feed ORDER BY month DESC NULLS LAST) = 1 AS is_newest
  FROM by_record
),
records AS (
  SELECT
    coalesce(of_feeds.table_name, received.table_name) AS table_name,
    coalesce(of_feeds.feed, received.feed) AS feed,
    month,
    '*' AS column_name,
    coalesce(rows, 0) AS rows,
    CAST(NULL AS DOUBLE) AS completeness,
    CAST(NULL AS DOUBLE) AS completeness_threshold,
    validity,
    uniqueness,
    CASE WHEN is_newest THEN datediff(:as_of, newest) END AS freshness_days,
    CASE WHEN coalesce(is_newest, TRUE) THEN coalesce(judged, 0) / received END AS accounted
  FROM of_feeds
  FULL JOIN received ON received.table_name = of_feeds.table_name AND received.feed = of_feeds.feed
),
-- Records differ in what they hold in few ways only: each way is taken apart once, not each record.
alike AS (
  SELECT table_name, feed, month, present, faults, count(*) AS rows
  FROM judged
  GROUP BY table_name, feed, month, present, faults
),
by_cell AS (
  SELECT
    alike.table_name, alike.feed, month, column_name, is_required, rows,
    array_contains(present, column_name) AS is_present,
    coalesce(exists(faults, fault -> startswith(fault, column_name || ': ') OR startswith(fault, 'row: ')), FALSE)
      AS is_faulty
  FROM alike
  JOIN feed_columns ON feed_columns.table_name = alike.table_name AND feed_columns.feed = alike.feed
),
by_column AS (
  SELECT
    table_name, feed, month, column_name, is_required,
    sum(rows) AS rows,
    coalesce(sum(rows) FILTER (WHERE is_present), 0) AS present,
    coalesce(sum(rows) FILTER (WHERE is_present AND NOT is_faulty), 0) / sum(rows) FILTER (WHERE is_present) AS validity
  FROM by_cell
  GROUP BY table_name, feed, month, column_name, is_required
),
columns AS (
  SELECT
    table_name, feed, month, column_name, rows,
    present / rows AS completeness,
    -- A column that records can do without is measured against what the feed usually has of it.
    CASE WHEN is_required THEN :completeness ELSE :optional * sum(present) OVER feed_column / sum(rows) OVER feed_column
      END AS completeness_threshold,
    validity,
    CAST(NULL AS DOUBLE) AS uniqueness,
    CAST(NULL AS INT) AS freshness_days,
    CAST(NULL AS DOUBLE) AS accounted
  FROM by_column
  WINDOW feed_column AS (PARTITION BY table_name, feed, column_name)
),
measured AS (
  SELECT * FROM records
  UNION ALL
  SELECT * FROM columns
)
SELECT
  table_name, feed, month, column_name, rows,
  round(completeness, 6) AS completeness, round(completeness_threshold, 6) AS completeness_threshold,
  round(validity, 6) AS validity, CASE WHEN validity IS NOT NULL THEN :validity END AS validity_threshold,
  round(uniqueness, 6) AS uniqueness, CASE WHEN uniqueness IS NOT NULL THEN :uniqueness END AS uniqueness_threshold,
  freshness_days, CASE WHEN freshness_days IS NOT NULL THEN :freshness_days END AS freshness_threshold,
  round(accounted, 6) AS accounted, CASE WHEN accounted IS NOT NULL THEN 1.0D END AS accounted_threshold,
  CASE
    WHEN coalesce(completeness >= completeness_threshold, TRUE)
      AND coalesce(validity >= :validity, TRUE)
      AND coalesce(uniqueness >= :uniqueness, TRUE)
      AND coalesce(freshness_days <= :freshness_days, TRUE)
      AND coalesce(accounted = 1, TRUE) THEN 'holds'
    ELSE 'fails'
  END AS verdict
FROM measured

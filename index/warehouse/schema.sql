-- The analysts' file. Every value in it comes from the log or from a body the log cites by digest;
-- the file is written whole and replaced whole, never updated. Money is DECIMAL(28,9), weights
-- DECIMAL(9,8), times are UTC. No lists: DuckDB 1.0 cannot read a column of empty ones. Comments
-- are added from index/warehouse/comments.py.

CREATE TABLE fixing (
    index_id VARCHAR NOT NULL,
    session VARCHAR NOT NULL,
    ref_date DATE NOT NULL,
    revision INTEGER NOT NULL,
    value DECIMAL(28, 9),
    currency VARCHAR,
    unit VARCHAR,
    decimals INTEGER,
    level DECIMAL(28, 9),
    status VARCHAR NOT NULL,
    waterfall VARCHAR NOT NULL,
    grade VARCHAR,
    flags VARCHAR NOT NULL,
    no_fix_reason VARCHAR,
    label VARCHAR,
    settlement_eligible BOOLEAN,
    obs_status VARCHAR,
    revision_reason VARCHAR,
    footnotes VARCHAR NOT NULL,
    prev_value DECIMAL(28, 9),
    change_pct DECIMAL(18, 4),
    base_date DATE,
    p1 DECIMAL(28, 9),
    p25 DECIMAL(28, 9),
    p50 DECIMAL(28, 9),
    p75 DECIMAL(28, 9),
    p99 DECIMAL(28, 9),
    min DECIMAL(28, 9),
    max DECIMAL(28, 9),
    dispersion DECIMAL(18, 6),
    ci_low DECIMAL(28, 9),
    ci_high DECIMAL(28, 9),
    loo_low DECIMAL(28, 9),
    loo_high DECIMAL(28, 9),
    volume DECIMAL(28, 9),
    volume_unit VARCHAR,
    volume_basis VARCHAR,
    n_collected INTEGER,
    n_used INTEGER,
    n_excluded INTEGER,
    n_sources INTEGER,
    n_providers INTEGER,
    top_weight DECIMAL(9, 8),
    effective_n DECIMAL(18, 6),
    executable_share DECIMAL(9, 8),
    weight_share DECIMAL(9, 8),
    fresh_share DECIMAL(9, 8),
    grade_weight DECIMAL(9, 6),
    grade_fresh DECIMAL(9, 6),
    grade_evidence DECIMAL(9, 6),
    grade_effective_n DECIMAL(9, 6),
    grade_spread DECIMAL(9, 6),
    grade_concentration DECIMAL(9, 6),
    window_open TIMESTAMP,
    cutoff_at TIMESTAMP,
    calculated_at TIMESTAMP,
    published_at TIMESTAMP NOT NULL,
    final_at TIMESTAMP,
    next_publication_at TIMESTAMP,
    calendar_id VARCHAR,
    methodology_id VARCHAR,
    methodology_version VARCHAR,
    methodology_digest VARCHAR,
    definition_digest VARCHAR,
    basket_version VARCHAR,
    basket_digest VARCHAR,
    software VARCHAR,
    input_digest VARCHAR,
    input_count INTEGER,
    input_uri VARCHAR,
    commit_seq BIGINT,
    contributions_digest VARCHAR,
    panel_state_digest VARCHAR,
    panel_state_before_digest VARCHAR,
    manifest_digest VARCHAR,
    type VARCHAR,
    schema VARCHAR,
    seq BIGINT NOT NULL,
    log_origin VARCHAR,
    administrator_id VARCHAR,
    family VARCHAR,
    supersedes VARCHAR,
    record_digest VARCHAR NOT NULL,
    licence VARCHAR,
    disclaimer_id VARCHAR
);

CREATE TABLE fixing_alternate (
    index_id VARCHAR NOT NULL,
    session VARCHAR NOT NULL,
    ref_date DATE NOT NULL,
    revision INTEGER NOT NULL,
    currency VARCHAR NOT NULL,
    value DECIMAL(28, 9) NOT NULL,
    fx_rate DECIMAL(28, 9),
    fx_source VARCHAR,
    fx_date DATE
);

CREATE TABLE backcast (
    index_id VARCHAR NOT NULL,
    ref_date DATE NOT NULL,
    value DECIMAL(28, 9),
    level DECIMAL(28, 9),
    waterfall VARCHAR NOT NULL,
    flag VARCHAR NOT NULL,
    groups BIGINT,
    weight DECIMAL(9, 8),
    vintage VARCHAR,
    is_covered BOOLEAN,
    has_held BOOLEAN,
    has_imputed BOOLEAN
);

CREATE TABLE contribution (
    index_id VARCHAR NOT NULL,
    session VARCHAR NOT NULL,
    ref_date DATE NOT NULL,
    revision INTEGER NOT NULL,
    place INTEGER NOT NULL,
    status VARCHAR,
    reason VARCHAR,
    legal_group VARCHAR,
    provider VARCHAR,
    instrument_id VARCHAR,
    listing_id VARCHAR,
    meter VARCHAR,
    source VARCHAR,
    tier VARCHAR,
    currency VARCHAR,
    quoted DECIMAL(28, 9),
    price DECIMAL(28, 9),
    weight DECIMAL(9, 8),
    kept BIGINT,
    quantity DECIMAL(28, 12),
    is_confirmed BOOLEAN,
    is_suspect BOOLEAN,
    seen_at TIMESTAMP,
    observation_id VARCHAR
);

CREATE TABLE observation (
    observation_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    legal_group VARCHAR NOT NULL,
    provider_class VARCHAR NOT NULL,
    instrument_id VARCHAR NOT NULL,
    listing_id VARCHAR NOT NULL,
    meter VARCHAR NOT NULL,
    price DECIMAL(28, 9),
    unit VARCHAR NOT NULL,
    is_inexact BOOLEAN NOT NULL,
    tenor VARCHAR NOT NULL,
    region VARCHAR,
    gpu_count INTEGER,
    window_start_min SMALLINT,
    window_end_min SMALLINT,
    effective_from TIMESTAMP,
    effective_to TIMESTAMP,
    is_official_date BOOLEAN NOT NULL,
    status VARCHAR NOT NULL,
    observed_at TIMESTAMP NOT NULL,
    tier VARCHAR NOT NULL,
    licence_id VARCHAR NOT NULL,
    capture_sha256 VARCHAR NOT NULL
);

CREATE TABLE rejection (
    source VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    listing_id VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    capture_sha256 VARCHAR NOT NULL
);

CREATE TABLE volume (
    source VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    meter VARCHAR NOT NULL,
    quantity BIGINT NOT NULL,
    period_start DATE NOT NULL,
    period_end DATE NOT NULL,
    as_of TIMESTAMP NOT NULL,
    capture_sha256 VARCHAR NOT NULL
);

CREATE TABLE fx_rate (
    source VARCHAR NOT NULL,
    base VARCHAR NOT NULL,
    quote VARCHAR NOT NULL,
    rate DECIMAL(28, 9),
    rate_text VARCHAR NOT NULL,
    ref_date DATE NOT NULL,
    capture_sha256 VARCHAR NOT NULL
);

CREATE TABLE basket (
    index_id VARCHAR NOT NULL,
    vintage VARCHAR NOT NULL,
    basket_digest VARCHAR NOT NULL,
    frozen_on DATE NOT NULL,
    place INTEGER NOT NULL,
    legal_group VARCHAR NOT NULL,
    instrument_id VARCHAR,
    source VARCHAR NOT NULL,
    weight DECIMAL(9, 8) NOT NULL,
    volume DECIMAL(38, 0),
    volume_rank VARCHAR,
    estimator VARCHAR,
    link_price DECIMAL(28, 9),
    quantity DECIMAL(28, 12),
    divisor DECIMAL(38, 15),
    volume_from DATE,
    volume_to DATE
);

CREATE TABLE commitment (
    seq BIGINT NOT NULL,
    log_origin VARCHAR NOT NULL,
    index_id VARCHAR NOT NULL,
    session VARCHAR NOT NULL,
    ref_date DATE NOT NULL,
    committed_at TIMESTAMP NOT NULL,
    input_digest VARCHAR,
    inputs_digest VARCHAR,
    methodology_digest VARCHAR,
    definition_digest VARCHAR,
    basket_digest VARCHAR,
    manifest_digest VARCHAR
);

CREATE TABLE incident (
    seq BIGINT NOT NULL,
    log_origin VARCHAR NOT NULL,
    kind VARCHAR,
    source VARCHAR,
    reason VARCHAR,
    detail VARCHAR,
    occurred_at TIMESTAMP,
    record VARCHAR NOT NULL
);

CREATE TABLE resistance (
    index_id VARCHAR NOT NULL,
    session VARCHAR NOT NULL,
    ref_date DATE NOT NULL,
    place INTEGER NOT NULL,
    legal_group VARCHAR NOT NULL,
    price DECIMAL(28, 9),
    weight DECIMAL(9, 8),
    status VARCHAR,
    own_up_pct DECIMAL(18, 6),
    own_down_pct DECIMAL(18, 6),
    any_price_up_pct DECIMAL(18, 6),
    any_price_down_pct DECIMAL(18, 6),
    any_price_pct DECIMAL(18, 6),
    is_unbounded BOOLEAN NOT NULL,
    left_out_pct DECIMAL(18, 6),
    exit_pct DECIMAL(18, 6),
    price_for_up DECIMAL(28, 9),
    price_for_down DECIMAL(28, 9),
    cost_per_unit_volume DECIMAL(28, 9),
    volume_per_day DECIMAL(28, 9),
    cost DECIMAL(28, 9),
    cost_reason VARCHAR
);

CREATE TABLE resistance_index (
    index_id VARCHAR NOT NULL,
    session VARCHAR NOT NULL,
    ref_date DATE NOT NULL,
    value DECIMAL(28, 9) NOT NULL,
    waterfall VARCHAR NOT NULL,
    estimator VARCHAR,
    members INTEGER NOT NULL,
    own_move_pct DECIMAL(18, 6),
    mi1_pct DECIMAL(18, 6),
    mi1_ln DECIMAL(18, 6),
    mi1_group VARCHAR,
    mi1_is_unbounded BOOLEAN NOT NULL,
    mi2_pct DECIMAL(18, 6),
    mi2_ln DECIMAL(18, 6),
    mi2_groups VARCHAR NOT NULL,
    mi2_is_unbounded BOOLEAN NOT NULL,
    breakdown_share DECIMAL(9, 8),
    breakdown_groups INTEGER,
    breakdown_weight DECIMAL(9, 8),
    left_out_low_pct DECIMAL(18, 6),
    left_out_high_pct DECIMAL(18, 6),
    target_bp INTEGER,
    days INTEGER,
    position_units BIGINT,
    gain DECIMAL(28, 9),
    cost_per_unit_min DECIMAL(28, 9),
    cost_per_unit_group VARCHAR,
    break_even_volume DECIMAL(28, 9),
    cost_min DECIMAL(28, 9),
    cost_group VARCHAR,
    gain_to_cost DECIMAL(18, 6),
    alert BOOLEAN,
    value_equal DECIMAL(28, 9),
    value_router DECIMAL(28, 9),
    value_raw DECIMAL(28, 9),
    weights_low DECIMAL(28, 9),
    weights_high DECIMAL(28, 9),
    weights_width_pct DECIMAL(18, 6),
    weights_divergence BOOLEAN,
    volumes_known INTEGER
);

CREATE TABLE record (
    seq BIGINT NOT NULL,
    type VARCHAR NOT NULL,
    index_id VARCHAR,
    session VARCHAR,
    ref_date DATE,
    record_digest VARCHAR NOT NULL,
    record VARCHAR NOT NULL
);

CREATE TABLE notice (
    seq BIGINT NOT NULL,
    type VARCHAR NOT NULL,
    kind VARCHAR,
    index_id VARCHAR,
    session VARCHAR,
    ref_date DATE,
    concerns BIGINT,
    value_before DECIMAL(28, 9),
    value_after DECIMAL(28, 9),
    text VARCHAR,
    occurred_at TIMESTAMP,
    record VARCHAR NOT NULL
);

CREATE TABLE settlement (
    seq BIGINT NOT NULL,
    rule_id VARCHAR NOT NULL,
    rule_digest VARCHAR,
    period VARCHAR NOT NULL,
    value DECIMAL(28, 9),
    decimals INTEGER,
    rounding VARCHAR,
    status VARCHAR,
    published_at TIMESTAMP,
    record VARCHAR NOT NULL
);

CREATE TABLE settlement_input (
    seq BIGINT NOT NULL,
    rule_id VARCHAR NOT NULL,
    period VARCHAR NOT NULL,
    place INTEGER NOT NULL,
    input_seq BIGINT,
    input_digest VARCHAR,
    value DECIMAL(28, 9)
);

CREATE TABLE methodology (
    seq BIGINT NOT NULL,
    methodology_id VARCHAR NOT NULL,
    methodology_version VARCHAR,
    methodology_digest VARCHAR NOT NULL,
    artefact_digest VARCHAR,
    effective_at TIMESTAMP
);

CREATE TABLE signing_key (
    seq BIGINT NOT NULL,
    action VARCHAR NOT NULL,
    key_id VARCHAR NOT NULL,
    name VARCHAR,
    purpose VARCHAR NOT NULL,
    algorithm VARCHAR NOT NULL,
    public_key VARCHAR,
    replaces VARCHAR,
    effective_seq BIGINT,
    reason VARCHAR,
    occurred_at TIMESTAMP
);

CREATE TABLE log_head (
    origin VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    root VARCHAR NOT NULL
);

CREATE TABLE triple (
    index_id VARCHAR NOT NULL,
    ref_date DATE NOT NULL,
    waterfall VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    basket DECIMAL(28, 9),
    chain DECIMAL(28, 9),
    matched INTEGER,
    unit_value DECIMAL(28, 9),
    unit_value_points DECIMAL(28, 9),
    unit_value_base DECIMAL(28, 9),
    volume_from DATE,
    volume_to DATE,
    fx_rate DECIMAL(28, 9),
    since DATE,
    change DECIMAL(28, 9),
    price DECIMAL(28, 9),
    mix DECIMAL(28, 9),
    cache DECIMAL(28, 9),
    entry_exit DECIMAL(28, 9),
    fx DECIMAL(28, 9)
);

CREATE VIEW triple_print AS
SELECT
    index_id, ref_date, waterfall, currency, basket, chain, matched, unit_value,
    unit_value_points, unit_value_base, volume_from, volume_to, fx_rate
FROM triple;

CREATE VIEW move_attribution AS
SELECT
    index_id, ref_date, currency, unit_value, since, change, price, mix, cache, entry_exit, fx
FROM triple
WHERE change IS NOT NULL;

CREATE VIEW fixing_current AS
SELECT *
FROM fixing
QUALIFY row_number() OVER (
    PARTITION BY index_id, session, ref_date ORDER BY revision DESC
) = 1;

CREATE VIEW fixing_first_print AS
SELECT *
FROM fixing
QUALIFY row_number() OVER (
    PARTITION BY index_id, session, ref_date ORDER BY revision
) = 1;

CREATE VIEW fixing_vintage AS
SELECT
    published_at AS valid_from,
    coalesce(
        lead(published_at) OVER (PARTITION BY index_id, session, ref_date ORDER BY revision),
        TIMESTAMP '9999-12-31 00:00:00'
    ) AS valid_to,
    *
FROM fixing;

CREATE VIEW history AS
WITH published AS (
    SELECT
        index_id,
        ref_date,
        value,
        level,
        waterfall,
        CAST(NULL AS VARCHAR) AS flag,
        CAST(
            CASE
                WHEN starts_with(index_id, 'TKX-') THEN n_used
                WHEN starts_with(index_id, 'TEX-') THEN NULL
                ELSE n_providers
            END AS BIGINT
        ) AS groups,
        basket_version AS vintage
    FROM fixing
    QUALIFY row_number() OVER (PARTITION BY index_id, ref_date ORDER BY revision DESC) = 1
)
SELECT * FROM published
UNION ALL
SELECT
    b.index_id,
    b.ref_date,
    b.value,
    b.level,
    b.waterfall,
    b.flag,
    b.groups,
    b.vintage
FROM backcast AS b
ANTI JOIN published AS p ON p.index_id = b.index_id AND p.ref_date = b.ref_date;

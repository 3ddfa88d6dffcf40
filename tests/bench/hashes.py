"""What stands for words and patients, worked out by PostgreSQL itself, for a million rows."""

from django.conf import settings

from diagnoses import sealing

KEYS = "1:YSBrZXkgdGhhdCBzZWFscyBmb3IgdGVzdHMgYWxvbmU=,index:YSBrZXkgdGhhdCBmaW5kcyBmb3IgdGVzdHMgYWxvbmU="
"""A site's keys, for measuring alone."""
WORDS = """
CREATE FUNCTION pg_temp.mac(inner_key bytea, outer_key bytea, word text) RETURNS bytea LANGUAGE sql IMMUTABLE AS
    'SELECT sha256(outer_key || sha256(inner_key || convert_to(word, ''UTF8'')))';
CREATE FUNCTION pg_temp.word(word text) RETURNS bigint LANGUAGE sql IMMUTABLE AS
    $$SELECT ('x' || encode(substr(pg_temp.mac({words}, word), 1, 8), 'hex'))::bit(64)::bigint$$;
CREATE FUNCTION pg_temp.words(said text) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS
    $$SELECT array_agg(DISTINCT pg_temp.word(word)) FROM (
        SELECT rtrim(unnest(string_to_array(said, ' ')), '.,') word
        UNION SELECT unnest(regexp_split_to_array(said, '[^[:alnum:]]+'))
    ) each WHERE word <> ''$$
"""


def _key(purpose: str) -> str:
    """The two keys of HMAC (RFC 2104) that stand for the one of this purpose, as SQL has them."""
    key = sealing._derived(settings.CXR_DATA_KEYS.index, purpose).ljust(64, b"\0")
    return ", ".join(f"'\\x{bytes(byte ^ pad for byte in key).hex()}'::bytea" for pad in (0x36, 0x5C))


def keys_in_sql() -> dict[str, object]:
    """What the statements take beside numbers."""
    return {"words": _key("words"), "patients": _key("patient IDs")}

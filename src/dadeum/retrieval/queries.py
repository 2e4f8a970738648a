"""The SQL of `postgres.py`: tables `<name>_index`, `<name>_chunks`, `<name>_words`.

BM25 is counted in the database from the same words and by the same formula as in `lexical.py`.
"""

from __future__ import annotations

_QUERIES = {
    "exists": "SELECT to_regclass('{name}_index')",
    "head": "SELECT model, revision, dimensions, words, settings FROM {name}_index",
    "fusion": "SELECT meaning_weight, method FROM {name}_index",
    "extension": "CREATE EXTENSION IF NOT EXISTS vector",
    "create": """
        CREATE TABLE {name}_index (
            format int NOT NULL, model text, revision text NOT NULL, dimensions int NOT NULL,
            meaning_weight float8 NOT NULL, method text NOT NULL, words text NOT NULL, settings text NOT NULL);
        CREATE TABLE {name}_chunks (
            place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE, document text NOT NULL,
            text text NOT NULL, first_page int NOT NULL, last_page int NOT NULL, num_tokens int NOT NULL,
            repeated int NOT NULL, is_cut boolean NOT NULL, length int NOT NULL);
        CREATE INDEX {name}_chunks_document ON {name}_chunks (document);
        CREATE TABLE {name}_words (
            word text NOT NULL, place bigint NOT NULL REFERENCES {name}_chunks ON DELETE CASCADE, times int NOT NULL,
            PRIMARY KEY (word, place));
        CREATE INDEX {name}_words_place ON {name}_words (place);
    """,
    "vectors": "ALTER TABLE {name}_chunks ADD COLUMN vector ",
    "write_head": "INSERT INTO {name}_index VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
    "write_own": "UPDATE {name}_index SET meaning_weight = %s, method = %s, settings = %s",
    "format": "SELECT format FROM {name}_index",
    "size": """
        SELECT sum(pg_total_relation_size(to_regclass(one)))
        FROM unnest(ARRAY['{name}_index', '{name}_chunks', '{name}_words']) AS one
    """,
    "ids": "SELECT document, id FROM {name}_chunks WHERE document = ANY(%s) ORDER BY place",
    "bad_words": """
        SELECT count(*) FROM {name}_chunks c
        WHERE length <> (SELECT coalesce(sum(times), 0) FROM {name}_words w WHERE w.place = c.place)
    """,
    "bad_vectors": """
        SELECT count(*) FROM {name}_chunks WHERE vector IS NULL OR NOT abs(vector <#> vector) BETWEEN 0.998 AND 1.002
    """,
    "count": "SELECT count(*) FROM {name}_chunks",
    "documents": "SELECT document, count(*) FROM {name}_chunks GROUP BY document ORDER BY min(place)",
    "known": "SELECT id FROM {name}_chunks WHERE id = ANY(%s)",
    "add_chunk": """
        INSERT INTO {name}_chunks
            (id, document, text, first_page, last_page, num_tokens, repeated, is_cut, length)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    """,
    "add_words": """
        INSERT INTO {name}_words (word, times, place)
        SELECT asked.*, place FROM unnest(%s::text[], %s::int[]) AS asked, {name}_chunks WHERE id = %s
    """,
    "add_vector": "UPDATE {name}_chunks SET vector = %s::vector WHERE id = %s",
    "remove": "DELETE FROM {name}_chunks WHERE document = ANY(%s) RETURNING place",
    "chunks": "SELECT place, id, document, first_page, last_page, text FROM {name}_chunks WHERE place = ANY(%s)",
    # A word that is asked for twice counts twice.
    "by_words": """
        WITH asked AS (SELECT word, count(*) AS asked FROM unnest(%s::text[]) AS word GROUP BY word),
        corpus AS (SELECT count(*)::float8 AS num, greatest(avg(length), 1e-9)::float8 AS mean FROM {name}_chunks),
        known AS (SELECT word, asked, (SELECT count(*) FROM {name}_words w WHERE w.word = a.word)::float8 AS df
                  FROM asked a)
        SELECT place, sum(asked * ln(1 + (num - df + 0.5) / (df + 0.5))
                          * times / (times + %s * (1 - %s + %s * length / mean)))::float4 AS score
        FROM known JOIN {name}_words USING (word) JOIN {name}_chunks USING (place) CROSS JOIN corpus
        GROUP BY place ORDER BY score DESC, place LIMIT %s
    """,
    "by_meaning": """
        SELECT place, -(vector <#> %s::vector) AS score FROM {name}_chunks
        ORDER BY round((vector <#> %s::vector)::numeric, 6), place LIMIT %s
    """,
}


def named(name: str) -> dict[str, str]:
    """All of them for the index `name`, which must be an identifier."""
    return {key: query.format(name=name) for key, query in _QUERIES.items()}

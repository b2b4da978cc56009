from memreason.runtime.pages import plain, visible


def test_characters_that_hide_or_turn_round_others_are_named():
    assert visible("a\u202eb<\x00\ud800") == (
        '<bdi>a<span class="control">U+202E</span>b&lt;<span class="control">U+0000</span>'
        '<span class="control">U+D800</span></bdi>'
    )
    assert visible("می\u200cخواهم") == "<bdi>می\u200cخواهم</bdi>"
    assert plain("a\u202eb") == "a\ufffdb"
    assert plain("a\uffffb") == "a\ufffdb"  # which no XML may hold

"""The wording of the questions about filings: what training rows and what test rows say."""

_OPENING = (
    "You read facts from a company's XBRL filing and answer one question about them. Give the answer alone, "
    "in the form of the example, with no explanation."
)

# Kind: the instruction, with a worked example of an invented company.
INSTRUCTIONS = {
    "tag": (
        f"{_OPENING}\nExample question: Which US GAAP tag reports the Total Assets of Sample Trading Inc for "
        "fiscal year 2020?\nExample answer: us-gaap:SampleTag"
    ),
    "value": (
        f"{_OPENING}\nExample question: What amount does Sample Trading Inc report as its Total Assets for "
        "fiscal year 2020?\nExample answer: 80000000"
    ),
    "formula": (
        f"{_OPENING}\nExample question: Write the Sample Margin of Sample Trading Inc for fiscal year 2020 "
        "as a formula of US GAAP tags.\nExample answer: (us-gaap:SampleTag / us-gaap:OtherSampleTag) * 100"
    ),
    "calculation": (
        f"{_OPENING}\nExample question: Write the Sample Margin of Sample Trading Inc for fiscal year 2020 "
        "as a formula with its amounts filled in.\nExample answer: (50000000 / 3590000000) * 100"
    ),
}

TRAIN = {
    "tag": (
        "Which US GAAP tag does {company} use for {item} in its report for {period}?",
        "Under what tag of the US GAAP taxonomy do we find the {item} of {company} for {period}?",
        "Name the XBRL tag that carries {item} in the accounts of {company} for {period}.",
        "{company} reports its {item} for {period}. What is the tag of that fact?",
    ),
    "value": (
        "How large is the {item} of {company} for {period}?",
        "What amount does {company} state for {item} in {period}?",
        "Give the reported figure for {item}: {company}, {period}.",
        "Look up {item} in the facts of {company} for {period} and give the number.",
    ),
    "formula": (
        "Which tags, put together how, give the {item} of {company} for {period}?",
        "Express the {item} of {company} for {period} through the tags of its filing.",
        "Using the US GAAP tags that {company} reports for {period}, write down its {item}.",
        "How is the {item} worked out from the tags in this report of {company} for {period}?",
    ),
    "calculation": (
        "Put the amounts of {company} for {period} into the formula of the {item}.",
        "Which numbers, put together how, give the {item} of {company} for {period}?",
        "Using the amounts that {company} reports for {period}, write out its {item} without solving it.",
        "Express the {item} of {company} for {period} through the figures of its filing.",
    ),
}

TEST = {
    "tag": (
        (
            "An analyst wants to look up {item} of {company} for {period} in the taxonomy: "
            "what is the element called?"
        ),
        "Please identify the element behind {item}, as {company} filed it for {period}.",
    ),
    "value": (
        (
            "An analyst needs one number from {company}, its {item} during or at the end of "
            "{period}: which is it?"
        ),
        "Please quote {item} as {company} filed it for {period}.",
    ),
    "formula": (
        (
            "An analyst defines the {item} of {company} by element names for {period}: how "
            "does the definition read?"
        ),
        "Please set up the {item} from elements that {company} filed for {period}.",
    ),
    "calculation": (
        (
            "An analyst shows the computation of the {item} of {company} for {period}: how "
            "does it read in numbers?"
        ),
        "Please set up the {item} in figures that {company} filed for {period}; leave it unsolved.",
    ),
}

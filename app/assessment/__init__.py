"""Questions, quizzes, attempts and what they are worth."""

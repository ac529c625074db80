from app.viewer import Role
from tests.world import World


async def test_main_path(acme: World) -> None:
    cid = await acme.course("Programación en Python", modules=2, lessons=2)
    print(
        await acme.ask(
            "{ me { id fullName email role preferences { playbackSpeed } memberships { tenantSlug } sessions { id isCurrent createdAt } } }",
            as_=Role.STUDENT,
        )
    )
    print(
        await acme.ask(
            '{ courses(filter: {search: "programacion"}) { totalCount nodes { id title lessonCount viewerCan { enroll edit } instructors { fullName } modules { title lessons { id title blocks { __typename } lockReasons { code } myProgress { state } } } } pageInfo { endCursor } } }',
            as_=Role.STUDENT,
        )
    )
    print(
        await acme.ask(
            "mutation($i: EnrollInput!) { enroll(input: $i) { __typename ... on EnrollmentSuccess { enrollment { id status progress { percent } } } ... on Problem { code message } } }",
            as_=Role.STUDENT,
            i={"courseId": acme.id("crs", cid)},
        )
    )
    d = await acme.ask(
        "query($id: ID!) { course(id: $id) { modules { lessons { id blocks { ... on RichTextBlock { html } } } } } progress(courseId: $id) { percent resume { lesson { title } } lessons { state percent } } }",
        as_=Role.STUDENT,
        id=acme.id("crs", cid),
    )
    print(d)
    for m in d["course"]["modules"]:
        for l in m["lessons"]:
            r = await acme.ask(
                "mutation($i: CompleteLessonInput!) { completeLesson(input: $i) { __typename ... on CompleteLessonSuccess { progress { percent completedAt completedLessons } } ... on Problem { code message } } }",
                as_=Role.STUDENT,
                i={"lessonId": l["id"]},
            )
            print(r)
    print(
        await acme.post(
            'mutation { createCourse(input: {title: "x"}) { __typename ... on Problem { code message } } }',
            as_=Role.STUDENT,
        )
    )
    print(
        await acme.post(
            'mutation { createCourse(input: {title: "Nuevo", tags: ["A","b"]}) { __typename ... on CourseSuccess { course { id title tags version publishedAt } } ... on Problem { code message } } }',
            as_=Role.INSTRUCTOR,
        )
    )
    await acme.work()
    print([(m["To"], m["Subject"]) for m in acme.mailbox.mails])
